//! As much of the protobuf encoding as the far sides need: numbers and lengths (protobuf.dev,
//! "Encoding").

/// A field with its number
pub(crate) enum Field<'a> {
    Bytes(u64, &'a [u8]),
    Varint(u64, u64),
}

impl<'a> Field<'a> {
    /// Its content if it has this number
    pub(crate) fn bytes(self, number: u64) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(own, bytes) if own == number => Some(bytes),
            _ => None,
        }
    }
}

/// The fields of a message with wire types 0 and 2, which is all that these messages have
pub(crate) fn fields(mut rest: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut out = Vec::new();
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        let value = varint(&mut rest)?;
        match tag & 7 {
            0 => out.push(Field::Varint(tag >> 3, value)),
            2 => {
                let (bytes, after) = rest.split_at_checked(usize::try_from(value).ok()?)?;
                out.push(Field::Bytes(tag >> 3, bytes));
                rest = after;
            }
            _ => return None,
        }
    }
    Some(out)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// A field with a text, bytes or a message in it
pub(crate) fn bytes(field: u64, content: &[u8]) -> Vec<u8> {
    [encoded(field << 3 | 2), encoded(content.len() as u64), content.to_vec()].concat()
}

/// A field with a number in it
pub(crate) fn number(field: u64, value: u64) -> Vec<u8> {
    [encoded(field << 3), encoded(value)].concat()
}

fn encoded(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value > 0x7f {
        out.push(value as u8 & 0x7f | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_as_written() {
        let message = [number(2, 300), bytes(1, b"projects/p")].concat();
        let read: Vec<&[u8]> = fields(&message).unwrap().into_iter().filter_map(|it| it.bytes(1)).collect();
        assert_eq!(read, [b"projects/p"]);
        assert_eq!(encoded(300), [0xac, 2]);
        assert!(fields(&message[..message.len() - 1]).is_none());
    }
}
