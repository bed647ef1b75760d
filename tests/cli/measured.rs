use std::{fs, process::Command, time::Duration};
#[test]
fn measured_idle() {
    let Ok(binary) = std::env::var("KEYLESS_RELEASE") else { return };
    let world = crate::ledger::world(3);
    let own = world.command(&[]);
    let bucket = format!("file://{}", world.www.display());
    let mut command = Command::new(binary);
    command.args(["publish", "--bucket", &bucket, "--issuer", crate::world::ISSUER, "--ca-file", "ca.pem", "--watch", "--metrics-address", "127.0.0.1:0", "--lease"]);
    command.env_clear().current_dir(world.dir.path());
    for (k, v) in own.get_envs() { if let Some(v) = v { command.env(k, v); } }
    let mut child = command.spawn().unwrap();
    let read = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        let rest: Vec<_> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        let ticks: u64 = rest[11].parse::<u64>().unwrap() + rest[12].parse::<u64>().unwrap();
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let rss = status.lines().filter(|l| l.starts_with("VmRSS") || l.starts_with("VmHWM") || l.starts_with("RssAnon")).collect::<Vec<_>>().join(" ");
        let sched = fs::read_to_string(format!("/proc/{}/schedstat", child.id())).unwrap();
        (ticks, rss, sched)
    };
    std::thread::sleep(Duration::from_secs(45));
    let a = read();
    std::thread::sleep(Duration::from_secs(60));
    let b = read();
    eprintln!("MEASURED {a:?} -> {b:?}");
    child.kill().unwrap();
    child.wait().unwrap();
}
