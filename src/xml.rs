//! PURE. Answers of stores and of AWS's services: elements with text, nothing else. Foreign bytes come in here.

use xmlparser::{ElementEnd, Token, Tokenizer};

/// Deeper than any answer, and far from what a stack could hold.
const DEEPEST: usize = 16;

/// An element: its name, and its text or what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    name: String,
    text: String,
    inner: Vec<Self>,
}

impl Element {
    /// The root. `None`: it is no such document.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut open: Vec<Self> = Vec::new();
        let mut root = None;
        for token in Tokenizer::from(text) {
            match token.ok()? {
                Token::ElementStart { local, .. } if root.is_none() && open.len() < DEEPEST => {
                    open.push(Self { name: local.as_str().to_owned(), ..Self::default() });
                }
                Token::ElementStart { .. } => return None,
                Token::ElementEnd { end: ElementEnd::Open, .. } => {}
                Token::ElementEnd { end, .. } => {
                    let done = open.pop()?;
                    if let ElementEnd::Close(_, name) = end
                        && name.as_str() != done.name
                    {
                        return None;
                    }
                    match open.last_mut() {
                        Some(above) => above.inner.push(done),
                        None => root = Some(done),
                    }
                }
                Token::Text { text } => {
                    if let Some(inside) = open.last_mut() {
                        inside.text.push_str(&unescaped(text.as_str())?);
                    }
                }
                Token::Cdata { text, .. } => open.last_mut()?.text.push_str(text.as_str()),
                // Entities of one's own are declared there.
                Token::DtdStart { .. } | Token::EmptyDtd { .. } | Token::EntityDeclaration { .. } => {
                    return None;
                }
                _ => {}
            }
        }
        root.filter(|_| open.is_empty())
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The first element of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.inner.iter().find(|inner| inner.name == name)
    }

    /// What lies at the end of these names.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |at, name| at.get(name))
    }

    pub(crate) fn text(&self) -> &str {
        self.text.trim()
    }

    pub(crate) fn text_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path).map(Self::text)
    }

    /// The members of the list of this name, as AWS writes them.
    pub(crate) fn members<'a>(&'a self, list: &str) -> impl Iterator<Item = &'a Self> {
        self.get(list).into_iter().flat_map(|list| list.all("member"))
    }

    /// Every element of this name.
    pub(crate) fn all<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a Self> {
        self.inner.iter().filter(move |inner| inner.name == name)
    }
}

fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let (entity, after) = after.split_once(';')?;
        plain.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => {
                let digits = entity.strip_prefix('#')?;
                let number = match digits.strip_prefix('x') {
                    Some(hex) => u32::from_str_radix(hex, 16),
                    None => digits.parse(),
                };
                char::from_u32(number.ok()?)?
            }
        });
        rest = after;
    }
    plain.push_str(rest);
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_is_read_by_names() {
        let text = br#"<?xml version="1.0"?>
<GetRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetRoleResult><Role>
  <RoleName>a&amp;b&#x41;&#66;</RoleName><Tags><member><Key>k</Key><Value/></member><member><Key>l</Key></member></Tags>
</Role></GetRoleResult></GetRoleResponse>"#;
        let root = Element::parse(text).unwrap();
        assert_eq!(root.name(), "GetRoleResponse");
        let role = root.at(&["GetRoleResult", "Role"]).unwrap();
        assert_eq!(role.text_at(&["RoleName"]), Some("a&bAB"));
        let keys: Vec<_> = role.members("Tags").filter_map(|tag| tag.text_at(&["Key"])).collect();
        assert_eq!(keys, ["k", "l"]);
        assert_eq!(role.members("None").count(), 0);
        assert_eq!(role.all("Tags").count(), 1);
    }

    #[test]
    fn broken_and_hostile_documents_are_refused() {
        let deep = "<a>".repeat(100_000);
        for text in [
            "",
            "text",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<a>&x;</a>",
            "<a>&#xFFFFFFFF;</a>",
            "<a>&amp</a>",
            "</a>",
            "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
            &deep,
            "{\"json\": true}",
        ] {
            assert_eq!(Element::parse(text.as_bytes()), None, "{}", text.get(..20).unwrap_or(text));
        }
        assert_eq!(Element::parse(b"<a>\xff</a>"), None);
    }
}
