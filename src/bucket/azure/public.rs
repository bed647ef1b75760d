//! The container, and what is in it readable by everyone without letting them list it.
//!
//! Azure opens containers, not blobs: the container must be for the documents alone, and that is looked at first. The
//! container of a static website is public as soon as the website is on.

use async_trait::async_trait;
use http::{HeaderName, header::LAST_MODIFIED};
use serde_json::json;

use super::{Azure, api::Extra, refusal::prevented, rights};
use crate::{
    bucket::{Change, PublicAccess},
    error::{Code, Error, Result},
    oidc::{DISCOVERY_PATH, JWKS_PATH},
    plan::{Act, Action, Say, Step, Target},
    xml::Element,
};

const PUBLIC_ACCESS: &str = "x-ms-blob-public-access";
/// Everyone reads blobs by their names, and cannot list them.
const BLOBS: &str = "blob";
/// As above, and everyone may list them.
const WITH_LIST: &str = "container";
/// On every container that this program made. Names of metadata are identifiers.
const MARK: (&str, &str) = ("x-ms-meta-managedby", "keyless");

const WEBSITE_ON: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><StorageServiceProperties><StaticWebsite>\
    <Enabled>true</Enabled></StaticWebsite></StorageServiceProperties>";

/// What is known of a container that is there.
pub(super) struct Container {
    pub(super) is_ours: bool,
    is_open: bool,
}

enum Doing {
    CreateContainer,
    EnableWebsite,
    AdmitEveryone,
}

struct Planned<'a> {
    azure: &'a Azure,
    doing: Doing,
}

/// The container; `None`: there is none of this name.
pub(super) async fn look(azure: &Azure) -> Result<Option<Container>> {
    match azure.api.get(azure.location.url("", "restype=container")).await {
        Ok(found) => {
            let header = |name| found.header(HeaderName::from_static(name));
            let is_open = matches!(header(PUBLIC_ACCESS), Some(BLOBS | WITH_LIST));
            Ok(Some(Container { is_ours: header(MARK.0) == Some(MARK.1), is_open }))
        }
        Err(refusal) if refusal.is_container_missing() => Ok(None),
        Err(refusal) => Err(azure.error(refusal, rights::SEE_CONTAINER, &format!("looking at {azure}"))),
    }
}

pub(super) async fn plan<'a>(azure: &'a Azure, names: &[String]) -> Result<PublicAccess<'a>> {
    let mut access = PublicAccess::default();
    if azure.location.is_website() {
        if !is_website_on(azure).await? {
            if look(azure).await?.is_some() {
                holds_documents_only(azure, names).await?;
            }
            let step = website_step(azure, names);
            access.create.push(planned(azure, step, Doing::EnableWebsite));
        }
        return Ok(access);
    }
    is_not_prevented(azure, names).await?;
    match look(azure).await? {
        None => {
            let step = create_step(azure);
            access.create.push(planned(azure, step, Doing::CreateContainer));
        }
        Some(container) if container.is_open => return Ok(access),
        Some(_) => holds_documents_only(azure, names).await?,
    }
    let reason = format!("everyone may read, and not list, what is in it: {}", names.join(" and "));
    let step = Step::new(Target::Bucket, Action::Grant, format!("public access of {azure}"), reason)
        .field("publicAccess", None, Some(json!(BLOBS)))
        .requires(rights::whole(rights::SET_ACCESS));
    access.open.push(planned(azure, step, Doing::AdmitEveryone));
    Ok(access)
}

fn planned<'a>(azure: &'a Azure, step: Step, doing: Doing) -> Change<'a> {
    Change::new(step, Box::new(Planned { azure, doing }))
}

#[async_trait]
impl Act for Planned<'_> {
    async fn run(&self, _say: Say<'_>) -> Result<()> {
        match self.doing {
            Doing::CreateContainer => create(self.azure).await,
            Doing::EnableWebsite => enable_website(self.azure).await,
            Doing::AdmitEveryone => open(self.azure).await,
        }
    }
}

fn create_step(azure: &Azure) -> Step {
    Step::new(
        Target::Bucket,
        Action::Create,
        format!("container {azure}"),
        format!("the storage account {} has no container of this name", azure.location.account),
    )
    .requires(rights::whole(rights::CREATE_CONTAINER))
}

async fn create(azure: &Azure) -> Result<()> {
    let mark = Extra::default().with(MARK.0, MARK.1);
    match azure.api.put(azure.location.url("", "restype=container"), mark).await {
        Ok(_) => Ok(()),
        // Made in between, perhaps by an attempt whose answer was lost.
        Err(refusal) if refusal.word == "ContainerAlreadyExists" => Ok(()),
        Err(refusal) => Err(azure.error(refusal, rights::CREATE_CONTAINER, &format!("making {azure}"))),
    }
}

/// Sets the public access. The stored access policies of the container are part of the same resource: they are written back
/// as they were read, if no other client has changed them since.
async fn open(azure: &Azure) -> Result<()> {
    let url = azure.location.url("", "restype=container&comp=acl");
    let what = format!("setting the public access of {azure}");
    let present = azure.api.get(url.clone()).await;
    let present = present.map_err(|refusal| azure.error(refusal, rights::READ_ACCESS, &what))?;
    if matches!(present.header(HeaderName::from_static(PUBLIC_ACCESS)), Some(BLOBS | WITH_LIST)) {
        return Ok(());
    }
    let list = Element::parse(without_mark(&present.body)).filter(|list| list.name() == "SignedIdentifiers");
    let (Some(_), Some(modified)) = (list, present.header(LAST_MODIFIED)) else {
        return Err(Error::failed(
            Code::BucketAnswer,
            format!("{what}: the answer holds no access policies"),
        )
        .hint("Azure never answers so: check --endpoint, and any proxy before it"));
    };
    let extra = Extra { body: without_mark(&present.body).to_vec(), ..Extra::default() }
        .with("content-type", "application/xml")
        .with("if-unmodified-since", modified)
        .with(PUBLIC_ACCESS, BLOBS);
    match azure.api.put(url, extra).await {
        Ok(_) => Ok(()),
        Err(refusal) if refusal.is_prevented() => Err(prevented(&azure.location, &what, &refusal.summary())),
        Err(refusal) if refusal.is_conflict() => Err(Error::failed(
            Code::BucketContended,
            format!("{what}: the access policies were changed at the same time"),
        )
        .caused_by(refusal.summary())
        .hint("run the command again when the other change is done")),
        Err(refusal) => Err(azure.error(refusal, rights::SET_ACCESS, &what)),
    }
}

/// The account's own setting is stronger than what its containers say, and can be seen before anything is written.
async fn is_not_prevented(azure: &Azure, names: &[String]) -> Result<()> {
    let Some(name) = names.first() else { return Ok(()) };
    match azure.api.anonymously(azure.location.url(name, "")).await {
        Err(refusal) if refusal.is_prevented() => Err(prevented(
            &azure.location,
            &format!("reading {} without credentials", azure.name(name)),
            &refusal.summary(),
        )),
        // Whether everyone reads the right documents is looked at after they are written.
        _ => Ok(()),
    }
}

async fn is_website_on(azure: &Azure) -> Result<bool> {
    let what = format!("looking at the static website of {azure}");
    let answer = azure.api.get(azure.location.account_url("restype=service&comp=properties")).await;
    let answer = answer.map_err(|refusal| azure.error(refusal, rights::READ_SERVICE, &what))?;
    says_website_is_on(&answer.body).ok_or_else(|| not_xml(&what))
}

/// `None`: these are no properties.
pub(super) fn says_website_is_on(body: &[u8]) -> Option<bool> {
    let properties = xml(body, "StorageServiceProperties")?;
    Some(properties.text_at(&["StaticWebsite", "Enabled"]) == Some("true"))
}

fn website_step(azure: &Azure, names: &[String]) -> Step {
    let reason =
        format!("everyone may read, and not list, what is in its container: {}", names.join(" and "));
    Step::new(Target::Bucket, Action::Grant, format!("static website of {azure}"), reason)
        .field("staticWebsite.enabled", None, Some(json!(true)))
        .requires(rights::WRITE_SERVICE)
}

async fn enable_website(azure: &Azure) -> Result<()> {
    let extra = Extra { body: WEBSITE_ON.as_bytes().to_vec(), ..Extra::default() }
        .with("content-type", "application/xml");
    // What the body does not name stays as it is.
    match azure.api.put(azure.location.account_url("restype=service&comp=properties"), extra).await {
        Ok(_) => Ok(()),
        Err(refusal) => {
            let what = format!("enabling the static website of {azure}");
            Err(azure.error(refusal, rights::WRITE_SERVICE, &what))
        }
    }
}

/// Refuses to open a container that holds anything else.
async fn holds_documents_only(azure: &Azure, names: &[String]) -> Result<()> {
    let what = format!("looking whether {azure} holds anything that must not be public");
    let (found, more) = list(azure, &what).await?;
    let document = |name: &str| {
        names.iter().any(|ours| ours == name) || name.ends_with(JWKS_PATH) || name.ends_with(DISCOVERY_PATH)
    };
    let other = found.iter().find(|name| !document(name)).map(String::as_str);
    let Some(other) = other.or(more.then_some("more blobs than one list holds")) else { return Ok(()) };
    Err(Error::failed(Code::BucketHoldsMore, format!("{azure} holds more than the documents: {other}")).hint(
        "Azure opens a container as a whole: choose a container of its own for the documents, with --bucket",
    ))
}

/// Removes the container, with everything in it: so it is ours, and nothing is in it, not even what can be restored.
pub(super) async fn remove(azure: &Azure) -> Result<bool> {
    let Some(container) = look(azure).await? else { return Ok(true) };
    if !container.is_ours || azure.location.is_website() {
        return Ok(false);
    }
    let (found, more) = list(azure, &format!("listing {azure}")).await?;
    if more || !found.is_empty() {
        return Ok(false);
    }
    match azure.api.delete(azure.location.url("", "restype=container"), Extra::default()).await {
        Ok(_) => Ok(true),
        Err(refusal) if refusal.is_container_missing() => Ok(true),
        Err(refusal) => Err(azure.error(refusal, rights::DELETE_CONTAINER, &format!("removing {azure}"))),
    }
}

/// The names of blobs, and whether there are more.
async fn list(azure: &Azure, what: &str) -> Result<(Vec<String>, bool)> {
    let url = azure.location.url("", "restype=container&comp=list&maxresults=1000&include=uncommittedblobs");
    let answer = azure.api.get(url).await.map_err(|refusal| azure.error(refusal, rights::READ, what))?;
    blobs(&answer.body).ok_or_else(|| not_xml(what))
}

/// What a list names, and whether it is cut. `None`: it is no such list.
pub(super) fn blobs(body: &[u8]) -> Option<(Vec<String>, bool)> {
    let list = xml(body, "EnumerationResults")?;
    let blobs = list.get("Blobs")?;
    let names = blobs.all("Blob").map(|blob| blob.text_at(&["Name"]).map(str::to_owned));
    let more = list.text_at(&["NextMarker"]).is_some_and(|marker| !marker.is_empty());
    Some((names.collect::<Option<_>>()?, more))
}

/// The service begins its XML with a byte order mark.
fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

fn xml(body: &[u8], root: &str) -> Option<Element> {
    Element::parse(without_mark(body)).filter(|element| element.name() == root)
}

fn not_xml(what: &str) -> Error {
    Error::failed(
        Code::BucketAnswer,
        format!("{what}: the answer is not the list or the properties that were asked for"),
    )
    .hint("Azure never answers so: check --endpoint, and any proxy before it")
}
