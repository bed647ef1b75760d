//! PURE. HTML that text from the cluster cannot become a part of: names of elements and attributes are of this program,
//! everything else is escaped.

use super::super::escape::markup;

/// A piece of a page.
#[derive(Clone, Debug, Default)]
pub(super) struct Html(String);

impl Html {
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

impl FromIterator<Self> for Html {
    fn from_iter<I: IntoIterator<Item = Self>>(pieces: I) -> Self {
        Self(pieces.into_iter().map(|piece| piece.0).collect())
    }
}

/// Whatever the text is, it is shown.
pub(super) fn text(text: &str) -> Html {
    Html(markup(text))
}

/// What this program itself has written.
pub(super) fn raw(html: &'static str) -> Html {
    Html(html.to_owned())
}

/// `tag` is the name and the attributes, e.g. `p class="soft"`.
pub(super) fn element(tag: &'static str, children: impl IntoIterator<Item = Html>) -> Html {
    let name = tag.split(' ').next().unwrap_or_default();
    Html(format!("<{tag}>{}</{name}>", Html::from_iter(children).0))
}

/// As [`element`], on a line of its own.
pub(super) fn block(tag: &'static str, children: impl IntoIterator<Item = Html>) -> Html {
    Html(format!("{}\n", element(tag, children).0))
}

/// An element with nothing but a text in it.
pub(super) fn of_text(tag: &'static str, content: &str) -> Html {
    block(tag, [text(content)])
}
