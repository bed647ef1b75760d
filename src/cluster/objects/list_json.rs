//! PURE. Takes the JSON of a list apart while it arrives: every item by itself, and what is left without them.
//!
//! A page of a list may be larger than all memory that this program wants to use; the largest object is not. Only one
//! item is held at a time. Item and rest are JSON by themselves and are parsed by those who know their form.

/// The largest object that etcd takes by default is 1.5 MiB; JSON on the wire is larger than what is stored.
pub(super) const MAX_ITEM: usize = 8 << 20;
/// `kind`, `apiVersion` and `metadata` of a list. A token to go on with has a few hundred bytes.
const MAX_REST: usize = 64 << 10;

/// Why an answer is no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// It ended before its end, or its brackets do not fit.
    Structure,
    /// No `items`, or two.
    Items,
    ItemTooLarge,
    RestTooLarge,
}

/// The state between two pieces.
#[derive(Debug, Default)]
pub(super) struct ListJson {
    /// The items of a `Table` are its `rows`.
    of_rows: bool,
    depth: usize,
    in_string: bool,
    escaped: bool,
    place: Place,
    seen_items: bool,
    item: Vec<u8>,
    rest: Vec<u8>,
    /// Where in `rest` the last string of the first level begins and ends, without its quotes.
    last_string: (usize, usize),
}

/// Which part of the list a byte belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Rest,
    /// After `"items":`.
    BeforeItems,
    Items,
    /// After a comma between two items: another one must follow.
    NextItem,
}

impl ListJson {
    /// Of a `Table`, `meta.k8s.io/v1`.
    pub(super) fn of_rows() -> Self {
        Self { of_rows: true, ..Self::default() }
    }

    fn name_of_items(&self) -> &'static [u8] {
        if self.of_rows { b"rows" } else { b"items" }
    }

    /// Takes the next piece, and hands on every item that ends in it.
    pub(super) fn feed(&mut self, piece: &[u8], take: &mut dyn FnMut(&[u8])) -> Result<(), Malformed> {
        let mut at = 0;
        while at < piece.len() {
            let inside = matches!(self.place, Place::Items | Place::NextItem);
            // Most bytes are text within strings: copied in one go.
            if self.in_string {
                let run = if self.escaped { 0 } else { plain(&piece[at..]) };
                self.keep(&piece[at..at + run], inside)?;
                at += run;
                let Some(&byte) = piece.get(at) else { return Ok(()) };
                self.keep(&[byte], inside)?;
                at += 1;
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_string = false;
                        self.last_string.1 = self.rest.len().saturating_sub(1);
                    }
                    _ => {}
                }
                continue;
            }
            let byte = piece[at];
            at += 1;
            if inside { self.within_items(byte, take)? } else { self.outside(byte)? }
        }
        Ok(())
    }

    /// The list without its items (`"items":[]`), once everything has arrived.
    pub(super) fn finish(self) -> Result<Vec<u8>, Malformed> {
        if self.depth != 0 || self.in_string || self.place != Place::Rest {
            return Err(Malformed::Structure);
        }
        if self.seen_items { Ok(self.rest) } else { Err(Malformed::Items) }
    }

    fn keep(&mut self, bytes: &[u8], inside: bool) -> Result<(), Malformed> {
        let (buffer, most, error) = if inside {
            (&mut self.item, MAX_ITEM, Malformed::ItemTooLarge)
        } else {
            (&mut self.rest, MAX_REST, Malformed::RestTooLarge)
        };
        if buffer.len() + bytes.len() > most {
            return Err(error);
        }
        buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn outside(&mut self, byte: u8) -> Result<(), Malformed> {
        match byte {
            b'"' => {
                self.in_string = true;
                self.last_string = (self.rest.len() + 1, self.rest.len() + 1);
            }
            b':' if self.depth == 1 && self.place == Place::Rest => {
                let name = self.rest.get(self.last_string.0..self.last_string.1);
                if name == Some(self.name_of_items()) {
                    if std::mem::replace(&mut self.seen_items, true) {
                        return Err(Malformed::Items);
                    }
                    self.place = Place::BeforeItems;
                }
            }
            b'[' if self.place == Place::BeforeItems => {
                self.place = Place::Items;
                self.depth += 1;
                return self.keep(b"[", false);
            }
            _ if self.place == Place::BeforeItems && !byte.is_ascii_whitespace() => {
                return Err(Malformed::Items);
            }
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.checked_sub(1).ok_or(Malformed::Structure)?,
            _ => {}
        }
        self.keep(&[byte], false)
    }

    fn within_items(&mut self, byte: u8, take: &mut dyn FnMut(&[u8])) -> Result<(), Malformed> {
        match byte {
            b',' | b']' if self.depth == 2 => {
                let ends = byte == b']';
                let empty = self.item.iter().all(u8::is_ascii_whitespace);
                if empty && (!ends || self.place == Place::NextItem) {
                    return Err(Malformed::Structure);
                }
                if !empty {
                    take(&self.item);
                }
                // One large object does not keep its memory to the end of the list.
                if self.item.capacity() > MAX_ITEM / 8 {
                    self.item = Vec::new();
                }
                self.item.clear();
                self.place = Place::NextItem;
                if ends {
                    self.depth -= 1;
                    self.place = Place::Rest;
                    return self.keep(b"]", false);
                }
                return Ok(());
            }
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth -= 1;
                if self.depth < 2 {
                    return Err(Malformed::Structure);
                }
            }
            _ => {}
        }
        self.keep(&[byte], true)
    }
}

/// How many bytes from the start neither end a string nor escape anything.
fn plain(bytes: &[u8]) -> usize {
    memchr::memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len())
}

#[cfg(test)]
#[path = "list_json_tests.rs"]
mod tests;
