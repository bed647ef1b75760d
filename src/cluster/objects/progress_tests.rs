use super::*;

fn page(token: &str, remaining: Option<u64>, version: &str, bytes: usize) -> Page {
    Page { token: token.into(), remaining, version: version.into(), bytes }
}

/// Reads a page of these objects.
fn read(progress: &mut Progress, objects: &[&str], page: Page) -> Ended {
    for object in objects {
        let _ = progress.arrives(object.as_bytes());
    }
    progress.ends(page)
}

fn size(limit: usize) -> PageSize {
    PageSize { limit, most: PAGE }
}

fn of_limit(limit: usize) -> Progress {
    Progress::new(size(limit), false, 100)
}

#[test]
fn size_follows_bytes_of_page_before() {
    assert_eq!((PageSize::first("secrets").limit(), PageSize::first("pods").limit()), (4, 500));
    const MIB: usize = 1 << 20;
    for (limit, objects, bytes, next) in [
        // Small objects: larger, but not at once.
        (4, 4, 4_000, 16),
        (128, 128, 128_000, 500),
        (500, 500, 500_000, 500),
        // A megabyte each.
        (500, 500, 500 * MIB, 4),
        (4, 4, 4 * MIB, 4),
        (4, 2, 4 * MIB, 2),
        (1, 1, 8 * MIB, 1),
        (500, 500, 5_000_000, 419),
        (4, 0, 100, 16),
        (4, 4, 0, 16),
    ] {
        assert_eq!(size(limit).after(objects, bytes), size(next), "{limit} {objects} {bytes}");
    }
}

#[test]
fn page_too_large_becomes_smaller() {
    let mut progress = of_limit(500);
    assert!(!progress.is_too_large(TOO_LARGE + 1), "nothing of it arrived");
    assert!(!progress.ask_smaller());
    let _ = progress.arrives(b"a");
    assert!(!progress.is_too_large(TOO_LARGE));
    let mut limits = Vec::new();
    while progress.is_too_large(TOO_LARGE + 1) && progress.ask_smaller() {
        limits.push(progress.size().limit());
        assert_eq!(progress.arrives(b"a"), Arrived::Again);
    }
    assert_eq!(limits, [125, 31, 7, 1], "one object is taken however large it is");
    // The next ones may be as large: they grow slowly.
    let mut size = size(500).smaller().unwrap();
    let limits: Vec<_> = (0..4)
        .map(|_| {
            size = size.after(1, 1);
            size.limit()
        })
        .collect();
    assert_eq!(limits, [125, 250, 500, 500]);
    // A server that sends more than it is asked for sends as much the next time.
    let mut progress = of_limit(4);
    (0..5).for_each(|_| assert_eq!(progress.arrives(b"a"), Arrived::New));
    assert!(!progress.is_too_large(TOO_LARGE + 1));
}

#[test]
fn what_arrived_is_not_taken_twice() {
    let mut progress = of_limit(4);
    for object in ["a", "b", "c"] {
        assert_eq!(progress.arrives(object.as_bytes()), Arrived::New);
    }
    assert!(progress.ask_smaller());
    // It breaks again after the first.
    assert_eq!(progress.arrives(b"a"), Arrived::Again);
    progress.ask_again();
    assert_eq!(progress.arrives(b"a"), Arrived::Again);
    assert_eq!(progress.ends(page("1", Some(3), "7", 10)), Ended::Page);
    assert_eq!(progress.arrives(b"b"), Arrived::Again);
    assert_eq!(progress.arrives(b"c"), Arrived::Again);
    assert_eq!(progress.arrives(b"d"), Arrived::New);
    assert_eq!(progress.ends(page("", None, "7", 10)), Ended::List);
    assert_eq!(progress.read(), (Some("7".into()), 4));
}

#[test]
fn other_objects_in_place_are_noticed() {
    let mut progress = of_limit(2);
    let _ = progress.arrives(b"a");
    progress.ask_again();
    assert_eq!(progress.arrives(b"b"), Arrived::Other);
    // What arrived is gone.
    let mut progress = of_limit(2);
    let _ = progress.arrives(b"a");
    progress.ask_again();
    assert_eq!(progress.ends(page("", None, "7", 10)), Ended::Wrong(Wrong::Changed));
}

#[test]
fn list_with_fewer_objects_is_short() {
    for (last, wanted) in [(&["c", "d"][..], Ended::List), (&["c"], Ended::Wrong(Wrong::Short(1)))] {
        let mut progress = of_limit(2);
        assert_eq!(read(&mut progress, &["a", "b"], page("1", Some(2), "7", 10)), Ended::Page);
        assert_eq!(read(&mut progress, last, page("", None, "7", 10)), wanted);
    }
    let mut progress = of_limit(2);
    assert_eq!(read(&mut progress, &["a"], page("", Some(3), "7", 10)), Ended::Wrong(Wrong::Short(3)));
    // More came than was announced: some were made in between, which only a list of several states can have.
    let mut progress = of_limit(2);
    assert_eq!(read(&mut progress, &["a", "b"], page("1", Some(1), "7", 10)), Ended::Page);
    assert_eq!(read(&mut progress, &["c", "d"], page("", None, "7", 10)), Ended::List);
    // A last page of another state, or of none, does not end a list that was announced longer.
    for version in ["8", ""] {
        let mut progress = of_limit(2);
        assert_eq!(read(&mut progress, &["a", "b"], page("1", Some(2), "7", 10)), Ended::Page);
        assert_eq!(read(&mut progress, &["c"], page("", None, version, 10)), Ended::Wrong(Wrong::Changed));
    }
}

#[test]
fn short_page_needs_a_selector() {
    for (is_selection, wanted) in [(false, Ended::Wrong(Wrong::ShortPage)), (true, Ended::Page)] {
        let mut progress = Progress::new(size(4), is_selection, 100);
        assert_eq!(read(&mut progress, &["a", "b", "c"], page("1", None, "7", 10)), wanted);
    }
}

#[test]
fn endless_list_is_noticed() {
    let mut progress = of_limit(1);
    assert_eq!(read(&mut progress, &["a"], page("1", None, "7", 10)), Ended::Page);
    assert_eq!(read(&mut progress, &["a"], page("1", None, "7", 10)), Ended::Wrong(Wrong::Endless));
    let mut progress = of_limit(1);
    assert_eq!(read(&mut progress, &[], page("1", None, "7", 10)), Ended::Wrong(Wrong::Endless));
    let mut progress = Progress::new(size(1), false, 3);
    for (token, wanted) in [("1", Ended::Page), ("2", Ended::Page), ("3", Ended::Wrong(Wrong::Endless))] {
        assert_eq!(read(&mut progress, &["a"], page(token, None, "7", 1 << 30)), wanted);
    }
}

#[test]
fn later_state_begins_own_page() {
    let mut progress = of_limit(2);
    assert_eq!(read(&mut progress, &["a", "b"], page("1", Some(9), "7", 10)), Ended::Page);
    let _ = progress.arrives(b"c");
    progress.go_on_later("later".into());
    assert_eq!(progress.token(), "later");
    assert_eq!(progress.arrives(b"d"), Arrived::New);
    assert_eq!(progress.ends(page("", None, "9", 10)), Ended::List);
    assert_eq!(progress.read(), (None, 3));
}
