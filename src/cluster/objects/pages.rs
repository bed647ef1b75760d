//! All objects of a kind, one after the other, page by page, with bounds on everything that a server could do.

use serde::{Deserialize, de::IgnoredAny};

use super::{
    Look, Resource, Strict, Unseen,
    list_json::{ListJson, Malformed},
    progress::{Arrived, Ended, Page, PageSize, Progress, Wrong},
    read::unseen_or_error,
    stream::{JSON, PACE, Trouble},
};
use crate::{
    cluster::Cluster,
    error::{Code, Error, Result},
    retry::Attempts,
};

/// How often a list is begun again whose state was gone before it was read to its end.
const RESTARTS: usize = 3;
/// A list that has more objects is not read to its end.
const MAX_OBJECTS: usize = 1_000_000;
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
        let list = List {
            path: resource.path(namespace, None),
            right: resource.right("list", namespace, None),
            selector,
            form,
        };
        let mut size = PageSize::first(&resource.name());
        for restarts in 0.. {
            items.begin();
            match self.each_once(&list, &mut size, restarts == RESTARTS, items).await {
                // The list's snapshot is gone from etcd. What was read so far may no longer be true.
                Err(error) if error.code == Code::ClusterGone && restarts < RESTARTS => {}
                ended => {
                    return ended.map(|read| self.facts.take_list(resource, namespace, selector, read));
                }
            }
        }
        Ok(())
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

    /// Reads a list once. `to_the_end`: when its state is gone, the rest is read as it is now. That is no list of one
    /// state, and an error all the same; but what is found in it is there.
    async fn each_once(
        &self,
        list: &List<'_>,
        size: &mut PageSize,
        to_the_end: bool,
        items: &mut dyn Items,
    ) -> Result<(Option<String>, usize)> {
        let is_selection = list.selector.contains("Selector=");
        let mut progress = Progress::new(*size, is_selection, MAX_OBJECTS);
        let (mut is_of_several, mut is_new) = (false, false);
        loop {
            match self.page(list, &mut progress, items).await {
                Ok(Ended::Page) => is_new = true,
                Ok(Ended::List) if is_of_several => return Err(list.gone()),
                Ok(Ended::List) => return Ok(progress.read()),
                Ok(Ended::Wrong(wrong)) => return Err(list.wrong(wrong)),
                Err(Trouble { error, later, .. }) => match later {
                    // Each of these tokens gives at least one page.
                    Some(later) if error.code == Code::ClusterGone && to_the_end && is_new => {
                        (is_of_several, is_new) = (true, false);
                        progress.go_on_later(later);
                    }
                    _ => return Err(error),
                },
            }
            *size = progress.size();
        }
    }

    /// The next page, asked for until it is there whole or that cannot help.
    async fn page(
        &self,
        list: &List<'_>,
        progress: &mut Progress,
        items: &mut dyn Items,
    ) -> Result<Ended, Trouble> {
        let mut attempts = Attempts::begin(PACE);
        loop {
            let mut is_too_large = false;
            let trouble = match self.page_once(list, progress, items, &mut is_too_large).await {
                Ok(page) => return Ok(progress.ends(page)),
                Err(trouble) => trouble,
            };
            // A page that takes too long is not waited for again, but a part of it may be in time.
            if is_too_large || trouble.error.code == Code::Timeout {
                if progress.ask_smaller() {
                    continue;
                }
                return Err(trouble);
            }
            if !trouble.may_pass() || !attempts.pause(trouble.retry_after).await {
                return Err(trouble);
            }
            progress.ask_again();
        }
    }

    async fn page_once(
        &self,
        list: &List<'_>,
        progress: &mut Progress,
        items: &mut dyn Items,
        is_too_large: &mut bool,
    ) -> Result<Page, Trouble> {
        let form = list.form;
        let query = list.page(progress);
        let mut json = match form {
            Form::Whole => ListJson::default(),
            Form::Row => ListJson::of_rows(),
        };
        let mut bytes = 0;
        self.stream(&query, None, &list.right, (form.accept(), MAX_PAGE), &mut |piece| {
            let mut has_changed = false;
            bytes += piece.len();
            let mut take = |item: &[u8]| match progress.arrives(item) {
                Arrived::New => items.take(item),
                Arrived::Again => {}
                Arrived::Other => has_changed = true,
            };
            json.feed(piece, &mut take).map_err(|why| list.broken(describe(why)))?;
            if has_changed {
                return Err(list.gone());
            }
            *is_too_large = progress.is_too_large(bytes);
            if *is_too_large { Err(list.broken("a page is too large")) } else { Ok(()) }
        })
        .await?;
        let rest = json.finish().map_err(|why| list.broken(describe(why)))?;
        // The parser's own message would quote the answer.
        let rest: Rest = serde_json::from_slice(&rest).map_err(|_| list.broken("the answer is no list"))?;
        if !rest.is(form) {
            return Err(list.broken("the answer is no list").into());
        }
        let ListMeta { token, remaining_item_count, resource_version } = rest.metadata.unwrap_or_default();
        Ok(Page {
            token: token.unwrap_or_default(),
            remaining: remaining_item_count,
            version: resource_version.unwrap_or_default(),
            bytes,
        })
    }
}

/// What is listed.
struct List<'a> {
    path: String,
    right: String,
    selector: &'a str,
    form: Form,
}

impl List<'_> {
    /// Path and query of the next page.
    fn page(&self, progress: &Progress) -> String {
        let mut page = format!("{}?limit={}", self.path, progress.size().limit());
        if !self.selector.is_empty() {
            page.push('&');
            page.push_str(self.selector);
        }
        if !progress.token().is_empty() {
            page.push_str("&continue=");
            page.extend(url::form_urlencoded::byte_serialize(progress.token().as_bytes()));
        }
        page
    }

    fn broken(&self, why: &str) -> Error {
        Error::failed(Code::ClusterAnswer, format!("GET {}: {why}", self.path))
            .hint("something in between changes the API server's answers")
    }

    fn gone(&self) -> Error {
        Error::failed(Code::ClusterGone, format!("GET {}: it changes faster than it can be read", self.path))
            .hint("run it again in a minute")
    }

    fn wrong(&self, wrong: Wrong) -> Error {
        match wrong {
            Wrong::Short(left) => {
                self.broken(&format!("the list ends {left} objects early, without a continue token"))
            }
            Wrong::ShortPage => {
                self.broken("a page has fewer objects than were asked for, although more follow")
            }
            Wrong::Endless => self.broken("the list does not end"),
            Wrong::Changed => self.gone(),
        }
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
