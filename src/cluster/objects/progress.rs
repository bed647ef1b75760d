//! PURE. How far the reading of a list has come: where its next page begins, how many objects that page has, what of it
//! arrived already, and whether all objects of the list were there in the end.

use std::{
    collections::{BTreeSet, VecDeque},
    hash::{DefaultHasher, Hasher},
};

/// Objects on a page, at most. The API server's cost of a page grows with it.
const PAGE: usize = 500;
/// A first page of Secrets, which may have a megabyte each, and each of which is looked through while it is read.
const FIRST_OF_SECRETS: usize = 4;
/// How large a page shall be: it must be read in time, and the API server holds it whole.
const WANTED: usize = 4 << 20;
/// How much larger than the page before it a page may be: its objects may be larger than all before.
const GROWTH: usize = 4;
/// A page that becomes larger is given up, and asked for again in smaller ones.
const TOO_LARGE: usize = 16 << 20;

/// How many objects the next page has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageSize {
    limit: usize,
    /// Lower than [`PAGE`] after a page that was too much: those that follow may be, too.
    most: usize,
}

impl PageSize {
    /// Of a list of which nothing is known. `resource`: `secrets`, `deployments.apps`.
    pub(super) fn first(resource: &str) -> Self {
        Self { limit: if resource == "secrets" { FIRST_OF_SECRETS } else { PAGE }, most: PAGE }
    }

    pub(super) fn limit(self) -> usize {
        self.limit
    }

    /// After a page of so many objects in so many bytes.
    fn after(self, objects: usize, bytes: usize) -> Self {
        let of_one = bytes.div_ceil(objects.max(1)).max(1);
        let limit = (WANTED / of_one).clamp(1, self.most.min(self.limit * GROWTH));
        Self { limit, most: PAGE.min(self.most * 2) }
    }

    /// After a page that was too much; `None`: it cannot be smaller.
    fn smaller(self) -> Option<Self> {
        let limit = (self.limit / GROWTH).max(1);
        (self.limit > 1).then_some(Self { limit, most: limit })
    }
}

/// What is done with an object that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrived {
    New,
    /// It is the one that arrived before, on a page that did not arrive whole.
    Again,
    /// Another one arrived there before: the list is no longer the same.
    Other,
}

/// The end of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Page,
    List,
    /// With what is wrong.
    Wrong(Wrong),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The list did not come to so many objects as its own pages announced: so many are missing.
    Short(u64),
    /// A page with fewer objects than there are.
    ShortPage,
    /// The same page again and again, or more objects than are read.
    Endless,
    /// What arrived before did not come again.
    Changed,
}

/// A page without its objects.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Empty: it is the last.
    pub(super) token: String,
    pub(super) remaining: Option<u64>,
    pub(super) version: String,
    /// On the wire.
    pub(super) bytes: usize,
}

#[derive(Debug)]
pub(super) struct Progress {
    token: String,
    size: PageSize,
    /// Whether the list has only some of the objects: its pages may then be short, and announce nothing.
    is_selection: bool,
    most: usize,
    /// The objects of the page that is under way.
    page: Vec<u64>,
    /// What arrived of pages that did not arrive whole: it comes again, in this order.
    again: VecDeque<u64>,
    objects: usize,
    /// As the page announced that announced most.
    announced: u64,
    versions: BTreeSet<String>,
}

impl Progress {
    /// At its beginning. A list of more than `most` objects is not read to its end.
    pub(super) fn new(size: PageSize, is_selection: bool, most: usize) -> Self {
        Self {
            token: String::new(),
            size,
            is_selection,
            most,
            page: Vec::new(),
            again: VecDeque::new(),
            objects: 0,
            announced: 0,
            versions: BTreeSet::new(),
        }
    }

    /// Empty at the beginning.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    pub(super) fn size(&self) -> PageSize {
        self.size
    }

    /// An object of the page arrives.
    pub(super) fn arrives(&mut self, json: &[u8]) -> Arrived {
        let print = fingerprint(json);
        self.page.push(print);
        match self.again.pop_front() {
            None => Arrived::New,
            Some(before) if before == print => Arrived::Again,
            Some(_) => Arrived::Other,
        }
    }

    /// Whether the page, of which so many bytes are there, shall be given up: it can be had in smaller ones.
    pub(super) fn is_too_large(&self, bytes: usize) -> bool {
        // A server that sends more than it is asked for does not know the limit.
        bytes > TOO_LARGE
            && (1..=self.size.limit()).contains(&self.page.len())
            && self.size.smaller().is_some()
    }

    /// The page did not arrive whole, and is asked for again.
    pub(super) fn ask_again(&mut self) {
        for print in self.page.drain(..).rev() {
            self.again.push_front(print);
        }
    }

    /// The same, in smaller pages; `false`: nothing of it arrived, or it cannot be smaller.
    pub(super) fn ask_smaller(&mut self) -> bool {
        let Some(smaller) = self.size.smaller().filter(|_| !self.page.is_empty()) else { return false };
        self.size = smaller;
        self.ask_again();
        true
    }

    /// The page arrived whole.
    pub(super) fn ends(&mut self, page: Page) -> Ended {
        let count = self.page.len();
        self.page.clear();
        self.objects += count;
        self.versions.insert(page.version);
        let announced = u64::try_from(self.objects).unwrap_or(u64::MAX);
        let announced = announced.saturating_add(page.remaining.unwrap_or(0));
        self.announced = self.announced.max(announced);
        if page.token.is_empty() {
            let left = self.announced - u64::try_from(self.objects).unwrap_or(u64::MAX).min(self.announced);
            // Pages of several versions announce what there was at several moments: the list is read from its start.
            return match left {
                0 if self.again.is_empty() => Ended::List,
                1.. if self.versions.len() == 1 => Ended::Wrong(Wrong::Short(left)),
                _ => Ended::Wrong(Wrong::Changed),
            };
        }
        if page.token == self.token || count == 0 || self.objects >= self.most {
            return Ended::Wrong(Wrong::Endless);
        }
        // Only a selection has objects that are left out of a page.
        if !self.is_selection && count < self.size.limit() {
            return Ended::Wrong(Wrong::ShortPage);
        }
        self.token = page.token;
        self.size = self.size.after(count, page.bytes);
        Ended::Page
    }

    /// The state that is being read is gone: the rest is read of a later one.
    pub(super) fn go_on_later(&mut self, token: String) {
        self.page.clear();
        self.again.clear();
        // What was announced was of the state that is gone.
        self.announced = 0;
        self.token = token;
    }

    /// The state that was read, and its objects. `None`: it is not known, or the pages are of several, which is none that
    /// there was.
    pub(super) fn read(mut self) -> (Option<String>, usize) {
        let version = self.versions.pop_first().filter(|_| self.versions.is_empty());
        (version, self.objects)
    }
}

/// Tells objects apart. It is kept no longer than its page.
fn fingerprint(json: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(json);
    hasher.finish()
}

#[cfg(test)]
#[path = "progress_tests.rs"]
mod tests;
