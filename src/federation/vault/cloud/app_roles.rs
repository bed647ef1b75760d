//! Secret IDs of the AppRoles that stores log in as.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Asked, Auditor, IN_FLIGHT, NoAnswer,
    answers::{self, Ends, plain},
    kinds::SECRET_ID,
    not_seen, segment,
};
use crate::federation::cloud::CloudLook;

impl Auditor {
    pub(super) async fn app_roles(
        &self,
        mount: &str,
        role_id: Option<&str>,
        place: &str,
    ) -> Asked<CloudLook> {
        let list = format!("auth/{mount}/role");
        let what = format!("the AppRole that {place} logs in as");
        let roles = self.list(&what, &list, "\"list\"").await?;
        let mut look = CloudLook::default();
        let mut is_found = false;
        for role in roles {
            let path = format!("{list}/{}", segment(&role));
            if let Some(wanted) = role_id {
                let data = self.read(&what, &format!("{path}/role-id"), "\"read\"").await?;
                // One that has just been deleted is none.
                let Some(data) = data else { continue };
                match data.get("role_id").and_then(Value::as_str) {
                    Some(id) if id == wanted => is_found = true,
                    Some(_) => continue,
                    None => {
                        return Err(self.odd(
                            &what,
                            &format!("{path}/role-id"),
                            "\"read\"",
                            "it holds no ID",
                        ));
                    }
                }
            }
            look.merge(self.app_role(&path, &role, place).await.unwrap_or_else(not_seen));
        }
        if role_id.is_some() && !is_found {
            look.notes.push(self.remark(
                SECRET_ID,
                &format!(
                    "no role at auth/{mount} has the ID that {place} logs in with: no secret ID opens it"
                ),
                SECRET_ID.remedy,
            ));
        }
        Ok(look)
    }

    async fn app_role(&self, path: &str, role: &str, place: &str) -> Asked<CloudLook> {
        let role = plain(role);
        let what = format!("the secret IDs of the AppRole {role}, as which {place} logs in");
        let Some(data) = self.read(&what, path, "\"read\"").await? else { return Ok(CloudLook::default()) };
        let settings = answers::app_role(&data).map_err(|why| self.odd(&what, path, "\"read\"", why))?;
        let list = format!("{path}/secret-id");
        let accessors = self.list(&what, &list, "\"list\"").await?;
        let mut look = self.counted("AppRoles", 1);
        if !settings.is_bound {
            look.findings.push(self.remark(
                SECRET_ID,
                &format!("the AppRole {role}, as which {place} logs in, takes logins by its role ID alone"),
                &format!("vault write {path} bind_secret_id=true"),
            ));
        }
        if accessors.is_empty() && settings.is_bound && !settings.has_end {
            look.notes.push(self.remark(
                SECRET_ID,
                &format!("the AppRole {role} has no secret ID; a new one would never expire"),
                &format!("vault write {path} secret_id_ttl=24h, or delete the role"),
            ));
        }
        let (mut failed, mut answered, mut ending) = (BTreeMap::new(), 0, 0);
        let lookup_path = format!("{path}/secret-id-accessor/lookup");
        let lookup = |accessor: String| {
            let lookup_path = &lookup_path;
            async move {
                let answer = self.ask(lookup_path, &json!({ "secret_id_accessor": accessor })).await;
                (accessor, answer)
            }
        };
        let now = Timestamp::now().as_second();
        let mut answers = stream::iter(accessors).map(lookup).buffered(IN_FLIGHT);
        while let Some((accessor, answer)) = answers.next().await {
            match answer.and_then(|data| answers::secret_id(&data, &accessor, now).map_err(NoAnswer::odd)) {
                Ok(secret_id) => {
                    answered += 1;
                    let lasts = match secret_id.ends {
                        Ends::Never => "it never expires".to_owned(),
                        Ends::Late(end) => format!("it lives for long, until {end}"),
                        Ends::Soon => {
                            ending += 1;
                            continue;
                        }
                    };
                    let accessor = plain(&accessor);
                    look.findings.push(self.remark(
                        SECRET_ID,
                        &format!(
                            "the secret ID with the accessor {accessor} of the AppRole {role}, as which {place} logs in: {lasts} ({})",
                            secret_id.shown
                        ),
                        &format!(
                            "when nothing misses it: vault write {path}/secret-id-accessor/destroy secret_id_accessor={accessor}"
                        ),
                    ));
                }
                Err(why) => {
                    failed.insert(accessor, why);
                }
            }
        }
        if ending > 0 {
            look.notes.push(self.remark(
                SECRET_ID,
                &format!("secret IDs of the AppRole {role} that have an end: {ending}"),
                "let the store log in by its ServiceAccount's token, and delete the role",
            ));
        }
        if !failed.is_empty() {
            let still = self.list(&what, &list, "\"list\"").await?;
            failed.retain(|accessor, _| still.contains(accessor));
        }
        look.merge(self.unanswered(&what, &lookup_path, &failed, answered));
        Ok(look)
    }
}
