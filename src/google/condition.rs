//! PURE. Bindings with a condition, in an IAM policy.

use serde_json::{Value, json};

use super::policy::{Policy, names};

/// When a binding counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) title: String,
    pub(crate) description: String,
    /// In CEL.
    pub(crate) expression: String,
}

impl Condition {
    fn read(json: &Value) -> Option<Self> {
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        json.is_object().then(|| Self {
            title: text("title"),
            description: text("description"),
            expression: text("expression"),
        })
    }

    fn to_json(&self) -> Value {
        json!({ "title": self.title, "description": self.description, "expression": self.expression })
    }
}

impl Policy {
    /// The conditions under which the member has the role.
    pub(crate) fn conditions(&self, role: &str, member: &str) -> Vec<Condition> {
        let of_role = self.bindings().filter(|binding| binding["role"] == role && names(binding, member));
        of_role.filter_map(|binding| Condition::read(&binding["condition"])).collect()
    }

    /// Who has the role under a condition, and under which.
    pub(crate) fn conditional(&self, role: &str) -> Vec<(String, Condition)> {
        let of_role = self.bindings().filter(|binding| binding["role"] == role);
        let conditional = of_role
            .filter_map(|binding| Condition::read(&binding["condition"]).zip(binding["members"].as_array()));
        let each = conditional.flat_map(|(condition, members)| {
            let members = members.iter().filter_map(Value::as_str);
            members.map(move |member| (member.to_owned(), condition.clone()))
        });
        each.collect()
    }

    /// Gives the member the role under the new condition, in place of the old ones. Whether that changed anything.
    pub(crate) fn grant_if(&mut self, role: &str, member: &str, old: &[Condition], new: &Condition) -> bool {
        let is_there = self.conditions(role, member).contains(new);
        let gone: Vec<_> = old.iter().filter(|old| *old != new).cloned().collect();
        let changed = self.revoke_if(role, member, &gone);
        if is_there {
            return changed;
        }
        let mut bindings = self.take_bindings();
        bindings.push(json!({ "role": role, "members": [member], "condition": new.to_json() }));
        self.put_bindings(bindings);
        true
    }

    /// Takes the role under these conditions from the member. Whether that changed anything.
    pub(crate) fn revoke_if(&mut self, role: &str, member: &str, gone: &[Condition]) -> bool {
        let goes = |binding: &Value| {
            let condition = Condition::read(&binding["condition"]);
            binding["role"] == role
                && names(binding, member)
                && condition.is_some_and(|condition| gone.contains(&condition))
        };
        if !self.bindings().any(goes) {
            return false;
        }
        let mut bindings = self.take_bindings();
        for binding in bindings.iter_mut().filter(|binding| goes(binding)) {
            if let Some(members) = binding["members"].as_array_mut() {
                members.retain(|other| other != member);
            }
        }
        bindings.retain(|binding| binding["members"].as_array().is_some_and(|members| !members.is_empty()));
        self.put_bindings(bindings);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "roles/storage.objectUser";

    fn condition(expression: &str) -> Condition {
        Condition { title: "t".into(), description: "d".into(), expression: expression.into() }
    }

    #[test]
    fn conditional_bindings_of_others_stay() {
        let others = json!({ "etag": "e", "version": 3, "bindings": [
            { "role": ROLE, "members": ["principal://x"] },
            { "role": ROLE, "members": ["principal://x"],
              "condition": { "title": "until-2031", "expression": "true" } },
            { "role": ROLE, "members": ["principal://y"],
              "condition": { "title": "t", "description": "d", "expression": "a" } },
        ] });
        let mut policy = Policy::new(others.clone());
        let (a, b) = (condition("a"), condition("b"));
        assert!(policy.grant_if(ROLE, "principal://x", &[], &a));
        assert!(!policy.grant_if(ROLE, "principal://x", &[], &a));
        assert_eq!(policy.conditions(ROLE, "principal://x").len(), 2);
        assert!(
            policy.grant_if(ROLE, "principal://x", std::slice::from_ref(&a), &b),
            "in place of the other one"
        );
        assert!(!policy.conditions(ROLE, "principal://x").contains(&a));
        assert!(policy.conditions(ROLE, "principal://y").contains(&a));
        assert!(policy.revoke_if(ROLE, "principal://x", std::slice::from_ref(&b)));
        assert!(!policy.revoke_if(ROLE, "principal://x", &[b]));
        assert_eq!(policy, Policy::new(others));
    }

    #[test]
    fn conditional_members_are_listed_each() {
        let (a, b) = (condition("a"), condition("b"));
        let policy = Policy::new(json!({ "bindings": [
            { "role": ROLE, "members": ["x"] },
            { "role": ROLE, "members": ["x", 1, "y"], "condition": a.to_json() },
            { "role": "roles/viewer", "members": ["x"], "condition": a.to_json() },
            { "role": ROLE, "members": "x", "condition": a.to_json() },
            { "role": ROLE, "members": ["x"], "condition": b.to_json() },
        ] }));
        let listed = [("x".to_owned(), a.clone()), ("y".to_owned(), a), ("x".to_owned(), b)];
        assert_eq!(policy.conditional(ROLE), listed);
    }

    #[test]
    fn odd_conditions_are_no_match() {
        for odd in [json!(null), json!("a"), json!({ "expression": 1 }), json!([])] {
            let policy = json!({ "bindings": [{ "role": ROLE, "members": ["m"], "condition": odd }] });
            let mut policy = Policy::new(policy);
            assert!(!policy.revoke_if(ROLE, "m", &[condition("a")]));
            assert!(policy.grant_if(ROLE, "m", &[], &condition("a")));
        }
    }
}
