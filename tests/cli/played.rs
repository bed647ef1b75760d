//! Every command that README and the pages of `docs/` show, played as a person types it, in a world of the lab.

mod blocks;
mod line;
mod stages;

use std::collections::BTreeSet;

use self::blocks::{Block, Row, agrees, pages, table};

/// A test for each page.
macro_rules! played {
    ($($test:ident $page:literal)*) => {
        const PAGES: &[&str] = &[$($page),*];
        $(#[test]
        fn $test() {
            play_page($page);
        })*
    };
}

played! {
    readme_is_played "README.md"
    air_gapped_page_is_played "docs/air-gapped.md"
    audit_page_is_played "docs/audit.md"
    aws_page_is_played "docs/aws.md"
    buckets_page_is_played "docs/buckets.md"
    commands_page_is_played "docs/commands.md"
    coupling_page_is_played "docs/coupling.md"
    cronjob_page_is_played "docs/cronjob.md"
    entra_page_is_played "docs/entra.md"
    fleet_page_is_played "docs/fleet.md"
    gitops_page_is_played "docs/gitops.md"
    grants_page_is_played "docs/grants.md"
    install_page_is_played "docs/install.md"
    issuer_page_is_played "docs/issuer.md"
    monitoring_page_is_played "docs/monitoring.md"
    permissions_page_is_played "docs/permissions.md"
    plans_page_is_played "docs/plans.md"
    providers_page_is_played "docs/providers.md"
    quickstarts_page_is_played "docs/quickstarts.md"
    retirement_page_is_played "docs/retirement.md"
    rotation_page_is_played "docs/rotation.md"
    runbook_page_is_played "docs/runbook.md"
    scripts_page_is_played "docs/scripts.md"
    settings_page_is_played "docs/settings.md"
    teardown_page_is_played "docs/teardown.md"
    undo_page_is_played "docs/undo.md"
    upgrade_page_is_played "docs/upgrade.md"
}

/// Plays all blocks of a page, and says everything that went otherwise than the page says.
fn play_page(page: &str) {
    let (table, pages) = (table(), pages());
    let rows = table.pages.get(page).map(Vec::as_slice).unwrap_or_default();
    let mut wrong = Vec::new();
    for (block, row) in pages[page].iter().zip(rows).filter(|(_, row)| row.world.is_some()) {
        let place = format!("{page}:{}", block.line);
        wrong.extend(play_block(&table, block, row).into_iter().map(|it| format!("{place}: {it}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn play_block(table: &blocks::Table, block: &Block, row: &Row) -> Vec<String> {
    let stage = stages::stage(row.world.as_deref().unwrap_or_default());
    let mut codes = row.codes.iter();
    let mut wrong = Vec::new();
    for (number, typed) in block.typed.iter().enumerate() {
        let fill = |text: String, (from, to): (&String, &String)| text.replace(from, &stage.filled(to));
        let filled = row.fill.iter().fold(typed.command.clone(), fill);
        if let Some(part) = line::run_part(table, &filled) {
            let ran = line::play(&stage, part);
            let wanted = codes.next().copied().unwrap_or_default();
            let printed = format!("{}{}", ran.err, ran.out);
            let command = &ran.command;
            if ran.code != Some(wanted) {
                wrong.push(format!("$ {command}\nends with {:?}, not {wanted}:\n{printed}", ran.code));
            } else if let Err(why) = agrees(&typed.shown, &printed) {
                wrong.push(format!("$ {command}\n{why}\nof\n{printed}"));
            }
        }
        stage.after(number);
    }
    if codes.next().is_some() {
        wrong.push("the table has more exit codes than the block has lines".into());
    }
    wrong
}

#[test]
fn every_block_is_played_or_excused() {
    let (table, pages) = (table(), pages());
    let names: BTreeSet<_> = pages.keys().map(String::as_str).collect();
    assert_eq!(names, PAGES.iter().copied().collect(), "each page with commands has a test here");
    assert_eq!(names, table.pages.keys().map(String::as_str).collect(), "and its part of the table");
    let mut wrong = Vec::new();
    for (page, blocks) in &pages {
        let first = |block: &Block| block.typed.first().map(|it| it.command.clone()).unwrap_or_default();
        let shown: Vec<_> = blocks.iter().map(first).collect();
        let listed: Vec<_> = table.pages[page].iter().map(|row| row.first.clone()).collect();
        if shown != listed {
            wrong.push(format!("{page}: the blocks begin with\n{shown:#?}\nthe table has\n{listed:#?}"));
        }
    }
    assert!(wrong.is_empty(), "fixtures/docs/played.yaml\n{}", wrong.join("\n"));
    for (page, row) in table.pages.iter().flat_map(|(page, rows)| rows.iter().map(move |row| (page, row))) {
        assert!(row.world.is_some() != row.not.is_some(), "{page}: {}: a world, or a reason", row.first);
        assert!(row.not.as_ref().is_none_or(|why| why.len() > 15), "{page}: {}: why not?", row.first);
    }
}

#[test]
fn excused_block_runs_no_keyless() {
    let (table, pages) = (table(), pages());
    let mut excused = 0;
    for (page, rows) in &table.pages {
        for (block, _) in pages[page].iter().zip(rows).filter(|(_, row)| row.not.is_some()) {
            let runs = block.typed.iter().any(|typed| line::run_part(&table, &typed.command).is_some());
            excused += usize::from(runs);
        }
    }
    assert!(excused <= 2, "{excused} blocks with commands of keyless are not played");
}

#[test]
fn shown_output_must_be_printed() {
    let shown = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let printed = "Cluster admin (https://10.0.0.1, UID 1)\n+ create  pool a\n  needs x\nPlan: 1 to create\n";
    for good in [
        "Cluster admin (https://…, UID …)\n…\nPlan: 1 to create",
        "…\n+ create  pool …\nneeds x",
        "…",
        "",
        "Cluster admin (…",
    ] {
        assert_eq!(agrees(&shown(good), printed), Ok(()), "{good}");
    }
    for bad in [
        "Cluster admin (https://…, UID …)\nPlan: 1 to create",
        "…\nPlan: 2 to create",
        "+ create  pool a",
        "…\nPlan: 1 to create\n…\n+ create  pool a",
        "…\n+ create  pool …b",
    ] {
        assert!(agrees(&shown(bad), printed).is_err(), "{bad}");
    }
}

#[test]
fn blocks_of_page_are_found() {
    let page = "text\n```console\n$ keyless audit  # counts\nZERO\n$ jq .\n```\n- item\n\n   ```console\n   $ keyless keys\n   ```\n```yaml\n$ no\n```\n";
    let all = blocks::blocks(page);
    let commands: Vec<_> = all.iter().flat_map(|it| &it.typed).map(|it| &*it.command).collect();
    assert_eq!(commands, ["keyless audit", "jq .", "keyless keys"]);
    assert_eq!((all[0].typed[0].shown.as_slice(), all[1].line), (&["ZERO".to_owned()][..], 9));
}
