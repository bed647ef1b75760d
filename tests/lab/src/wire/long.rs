//! A long way to a far side that is near.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A relay before one far side, which holds every piece of data back for a time in each direction.
///
/// Faithful: order; the end of a stream travels as well; connecting costs a round trip, as TCP's
/// handshake does: until the first answer, what the client sends takes a round trip more. So a
/// connection with TLS 1.3 costs two round trips, and each request on it one.
/// Not faithful: no limit of bandwidth, no slow start, no loss; a connection that the far side
/// refuses is closed instead.
pub struct LongWire {
    addr: SocketAddr,
    stopped: Arc<AtomicBool>,
}

/// What is under way: when it arrives, and what it is; nothing is the end of the stream
type Piece = (Instant, Vec<u8>);

impl LongWire {
    /// Listen on loopback before `to`
    pub fn start(to: SocketAddr, one_way: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind a loopback port");
        let addr = listener.local_addr().expect("local address");
        let stopped = Arc::new(AtomicBool::new(false));
        let ends = stopped.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(server) = TcpStream::connect(to) {
                    let _ = relay(client, server, one_way);
                }
            }
        });
        Self { addr, stopped }
    }

    /// Where it listens
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for LongWire {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // The thread that waits for the next connection must wake up to see it.
        let _ = TcpStream::connect(self.addr);
    }
}

/// Threads, not tasks: their sleep is exact to some microseconds, a timer of tokio to a millisecond.
fn relay(client: TcpStream, server: TcpStream, one_way: Duration) -> std::io::Result<()> {
    let answered = Arc::new(AtomicBool::new(false));
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (there, back) = (channel(), channel());
    let (from_client, from_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || deliver(server, &there.1));
    thread::spawn(move || deliver(client, &back.1));
    let heard = answered.clone();
    thread::spawn(move || {
        listen(from_client, &there.0, || if heard.load(Ordering::SeqCst) { one_way } else { 3 * one_way });
    });
    thread::spawn(move || {
        listen(from_server, &back.0, || {
            answered.store(true, Ordering::SeqCst);
            one_way
        });
    });
    Ok(())
}

fn listen(mut source: TcpStream, under_way: &Sender<Piece>, delay: impl Fn() -> Duration) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = source.read(&mut buffer).unwrap_or_default();
        let piece = (Instant::now() + delay(), buffer[..read].to_vec());
        if under_way.send(piece).is_err() || read == 0 {
            return;
        }
    }
}

fn deliver(mut target: TcpStream, under_way: &Receiver<Piece>) {
    for (due, piece) in under_way {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let delivered = match piece.is_empty() {
            true => target.shutdown(Shutdown::Write),
            false => target.write_all(&piece),
        };
        if delivered.is_err() || piece.is_empty() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connecting_costs_one_extra_round_trip() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = LongWire::start(listener.local_addr().unwrap(), Duration::from_millis(10));
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut question = [0; 4];
            while stream.read_exact(&mut question).is_ok() {
                stream.write_all(&question).unwrap();
            }
        });
        let mut client = TcpStream::connect(wire.addr()).unwrap();
        let mut ask = || {
            let asked = Instant::now();
            client.write_all(b"ping").unwrap();
            let mut answer = [0; 4];
            client.read_exact(&mut answer).unwrap();
            asked.elapsed().as_millis()
        };
        let (first, second) = (ask(), ask());
        assert!(first >= 40 && second >= 20 && second < first, "{first} ms, then {second} ms");
    }
}
