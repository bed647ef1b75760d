//! All objects of a kind, one after the other, page by page, with bounds on everything that a server could do.

use std::collections::BTreeSet;

use serde::{Deserialize, de::IgnoredAny};

use super::{
    Look, Resource, Strict, Unseen,
    list_json::{ListJson, Malformed},
    read::unseen_or_error,
    stream::JSON,
};
use crate::{
    cluster::Cluster,
    error::{Code, Error, Result},
};

/// Objects on a page, at most. The API server's cost of a page grows with it.
const PAGE: usize = 500;
/// A first page of Secrets, which may have a megabyte each, and each of which is looked through while it is read.
const FIRST_OF_SECRETS: usize = 4;
/// A page with fewer bytes is followed by a larger one, one with more by a smaller one: each must be read in time.
const SMALL_PAGE: usize = 1 << 20;
const LARGE_PAGE: usize = 8 << 20;
/// How often a list is begun again when it changed too fast to be read to its end, or its connection broke.
const RESTARTS: usize = 3;
/// A million objects of a kind. A list that has more is not read to its end.
const MAX_PAGES: usize = 2_000;
/// On the wire, of one page: the objects of a page are never held together.
const MAX_PAGE: usize = 1 << 30;

/// Takes the objects of a list.
pub(crate) trait Items: Send {
    /// The list begins, perhaps again: what was taken so far may no longer be true.
    fn begin(&mut self);

    /// The JSON of one item, as the server sent it: it need not be an object.
    fn take(&mut self, json: &[u8]);
}

/// What is asked for of each object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// All of it.
    Whole,
    /// What a `Table` has of it: its metadata, and the columns of its kind.
    Row,
}

/// `includeObject=Metadata` is sent all the same: it must never become another default.
const METADATA_ALONE: &str = "includeObject=Metadata";
/// The columns of a `Table` of Secrets (kubernetes/kubernetes pkg/printers/internalversion, `secretColumnDefinitions`).
const COLUMNS: [&str; 4] = ["Name", "Type", "Data", "Age"];

impl Form {
    fn accept(self) -> &'static str {
        match self {
            Self::Whole => JSON,
            // Nothing else is accepted: a server that has no such form must refuse, and not send whole Secrets.
            Self::Row => "application/json;as=Table;v=v1;g=meta.k8s.io",
        }
    }
}

/// A list without its items.
#[derive(Deserialize)]
struct Rest {
    kind: Option<String>,
    metadata: Option<ListMeta>,
    /// A list that has them by another spelling as well is refused as having two.
    items: Option<Vec<IgnoredAny>>,
    rows: Option<Vec<IgnoredAny>>,
    #[serde(default, rename = "columnDefinitions")]
    columns: Vec<Column>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
}

impl Rest {
    /// Whether it is what was asked for.
    fn is(&self, form: Form) -> bool {
        let kind = self.kind.as_deref().unwrap_or_default();
        match form {
            Form::Whole => kind.ends_with("List") && self.items.is_some(),
            Form::Row => {
                kind == "Table"
                    && self.rows.is_some()
                    && self.columns.iter().map(|column| column.name.as_str()).eq(COLUMNS)
            }
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListMeta {
    #[serde(rename = "continue")]
    token: Option<String>,
    remaining_item_count: Option<u64>,
    resource_version: Option<String>,
}

impl Cluster {
    /// Hands on every object of a kind, of one namespace or of all. `selector` is a query such as
    /// `labelSelector=a%3Db`, or empty.
    pub(crate) async fn each_object(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        selector: &str,
        items: &mut dyn Items,
    ) -> Result<()> {
        self.each(resource, namespace, (selector, Form::Whole), items).await
    }

    async fn each(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        (selector, form): (&str, Form),
        items: &mut dyn Items,
    ) -> Result<()> {
        let mut restarts = 0;
        loop {
            items.begin();
            match self.each_once(resource, namespace, (selector, form), items).await {
                // The list's snapshot is gone from etcd. What was read so far may no longer be true.
                Err(error) if error.code == Code::ClusterGone && restarts < RESTARTS => restarts += 1,
                // The connection broke before the answer: many lists share one, and one of them may have broken it.
                Err(error) if error.code == Code::Http && restarts < RESTARTS => restarts += 1,
                ended => {
                    return ended.map(|read| self.facts.take_list(resource, namespace, selector, read));
                }
            }
        }
    }

    /// Like [`Self::each_object`], for those who only report: a list that was not read to its end is not seen.
    pub(crate) async fn look_for_each(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        selector: &str,
        items: &mut dyn Items,
    ) -> Result<Look<()>> {
        self.look_at_each(resource, namespace, (selector, Form::Whole), items).await
    }

    /// The rows of a `Table` of all objects of a kind: their metadata and columns. Nothing else of them is asked for.
    pub(crate) async fn look_for_each_row(
        &self,
        resource: &Resource,
        items: &mut dyn Items,
    ) -> Result<Look<()>> {
        self.look_at_each(resource, None, (METADATA_ALONE, Form::Row), items).await
    }

    async fn look_at_each(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        asked: (&str, Form),
        items: &mut dyn Items,
    ) -> Result<Look<()>> {
        let right = resource.right("list", namespace, None);
        match self.each(resource, namespace, asked, items).await {
            Ok(()) => Ok(Look::Seen(())),
            Err(error) => {
                let what = match namespace {
                    Some(namespace) => format!("{} in the namespace `{namespace}`", resource.name()),
                    None => resource.name(),
                };
                unseen_or_error(error, what, right).map(Look::Unseen)
            }
        }
    }

    async fn each_once(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        (selector, form): (&str, Form),
        items: &mut dyn Items,
    ) -> Result<(Option<String>, usize)> {
        let right = resource.right("list", namespace, None);
        let path = resource.path(namespace, None);
        let mut limit = if resource.name() == "secrets" { FIRST_OF_SECRETS } else { PAGE };
        let selector = if selector.is_empty() { String::new() } else { format!("&{selector}") };
        let broken = |why: &str| {
            Error::failed(Code::ClusterAnswer, format!("GET {path}: {why}"))
                .hint("something in between changes the API server's answers")
        };
        let mut token = String::new();
        let (mut versions, mut objects) = (BTreeSet::new(), 0);
        for _ in 0..MAX_PAGES {
            let mut page = format!("{path}?limit={limit}{selector}");
            if !token.is_empty() {
                page.push_str("&continue=");
                page.extend(url::form_urlencoded::byte_serialize(token.as_bytes()));
            }
            let mut list = match form {
                Form::Whole => ListJson::default(),
                Form::Row => ListJson::of_rows(),
            };
            let (mut count, mut length) = (0_usize, 0_usize);
            self.stream(&page, None, &right, (form.accept(), MAX_PAGE), &mut |piece| {
                let mut take = |item: &[u8]| {
                    count += 1;
                    items.take(item);
                };
                length += piece.len();
                list.feed(piece, &mut take).map_err(|why| broken(describe(why)))
            })
            .await?;
            let rest = list.finish().map_err(|why| broken(describe(why)))?;
            // The parser's own message would quote the answer.
            let rest: Rest = serde_json::from_slice(&rest).map_err(|_| broken("the answer is no list"))?;
            if !rest.is(form) {
                return Err(broken("the answer is no list"));
            }
            let ListMeta { token: next, remaining_item_count, resource_version } =
                rest.metadata.unwrap_or_default();
            objects += count;
            versions.insert(resource_version.unwrap_or_default());
            let next = next.unwrap_or_default();
            if next.is_empty() {
                return match remaining_item_count {
                    // Pages of several versions are no state that there was.
                    None | Some(0) => Ok((versions.pop_first().filter(|_| versions.is_empty()), objects)),
                    Some(left) => {
                        Err(broken(&format!("the list ends {left} objects early, without a continue token")))
                    }
                };
            }
            if next == token || count == 0 {
                return Err(broken("the list does not end"));
            }
            token = next;
            limit = match length {
                0..SMALL_PAGE => (limit * 4).min(PAGE),
                SMALL_PAGE..=LARGE_PAGE => limit,
                _ => (limit / 4).max(1),
            };
        }
        Err(broken("the list does not end"))
    }
}

fn describe(why: Malformed) -> &'static str {
    match why {
        Malformed::Structure => "the answer is no list, or was cut off",
        Malformed::Items => "the answer is no list",
        Malformed::ItemTooLarge => "one of its objects is too large",
        Malformed::RestTooLarge => "the list has too much metadata",
    }
}

/// What could not be looked at in a list that was read to its end: items that are no objects of the kind.
pub(crate) fn broken_item(resource: &Resource, name: Option<&str>) -> Unseen {
    Unseen {
        what: match name {
            Some(name) => format!("{} {name}", resource.kind),
            None => format!("an item of {}", resource.name()),
        },
        right: resource.right("list", None, None),
        why: "it has not the form that its kind has".into(),
    }
}

/// The name of an object that has not the form of its kind, if it has one that can be shown.
pub(crate) fn name_of(json: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Any {
        metadata: Strict<AnyMetadata>,
    }
    #[derive(Deserialize)]
    struct AnyMetadata {
        name: String,
        #[serde(default)]
        namespace: String,
    }
    let AnyMetadata { name, namespace } = serde_json::from_slice::<Any>(json).ok()?.metadata.0;
    let fits = |text: &str| {
        text.len() <= 253 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
    };
    (fits(&name) && fits(&namespace)).then(|| match namespace.as_str() {
        "" => name,
        namespace => format!("{namespace}/{name}"),
    })
}
