//! PURE. A verdict whose every text has passed a function, e.g. the one that leaves out secrets.

use crate::{
    audit::{
        Hit, Member,
        exceptions::Excepted,
        verdict::{Root, Verdict},
    },
    cluster::{
        objects::Unseen,
        snapshot::{ConfigMapKey, SecretKey},
    },
    error::Error,
    target::ClusterTarget,
};

/// What a text becomes.
pub(super) type Clean<'c> = &'c dyn Fn(&str) -> String;

/// No member is left out: one that is new must be decided on here.
pub(super) fn verdict(verdict: &Verdict, clean: Clean<'_>) -> Verdict {
    let Verdict {
        roots,
        others,
        excepted,
        exceptions,
        findings,
        unknown,
        notes,
        unseen,
        unseen_here,
        cloud,
        asked,
        looked,
        outputs,
        unmanaged,
        mode,
        outside,
        gate,
        stores,
        generators,
        installed,
        record,
    } = verdict;
    let hits = |hits: &[Hit]| hits.iter().map(|it| hit(it, clean)).collect();
    let one = |it: &Unseen| Unseen { what: clean(&it.what), right: clean(&it.right), why: clean(&it.why) };
    Verdict {
        roots: roots.iter().map(|it| root(it, clean)).collect(),
        others: others.iter().map(|it| root(it, clean)).collect(),
        excepted: excepted
            .iter()
            .map(|it| Excepted {
                root: root(&it.root, clean),
                reason: clean(&it.reason),
                owner: clean(&it.owner),
                until: it.until.clone(),
                ends: it.ends,
                control: it.control.as_deref().map(clean),
            })
            .collect(),
        exceptions: exceptions.clone(),
        findings: hits(findings),
        unknown: hits(unknown),
        notes: hits(notes),
        unseen: unseen.iter().map(one).collect(),
        unseen_here: unseen_here.iter().map(one).collect(),
        cloud: cloud.as_ref().map(|unseen| unseen.iter().map(one).collect()),
        asked: *asked,
        looked: looked.iter().map(|(kind, count)| (clean(kind), *count)).collect(),
        outputs: *outputs,
        unmanaged: *unmanaged,
        mode: *mode,
        outside: outside.clone(),
        gate: *gate,
        stores: *stores,
        generators: *generators,
        installed: *installed,
        record: record.clean(clean),
    }
}

pub(super) fn cluster(cluster: &ClusterTarget, clean: Clean<'_>) -> ClusterTarget {
    ClusterTarget {
        context: cluster.context.as_deref().map(clean),
        server: clean(&cluster.server),
        uid: cluster.uid.as_deref().map(clean),
    }
}

/// One of several clusters.
pub(super) fn member(member: &Member, clean: Clean<'_>) -> Member {
    let all = |texts: &[String]| texts.iter().map(|text| clean(text)).collect();
    Member {
        name: clean(&member.name),
        access: member.access,
        target: member.target.as_ref().map(|it| cluster(it, clean)),
        result: match &member.result {
            Ok(it) => Ok(verdict(it, clean)),
            Err(error) => Err(Error {
                kind: error.kind,
                code: error.code,
                message: clean(&error.message),
                causes: all(&error.causes),
                hints: all(&error.hints),
            }),
        },
    }
}

fn hit(hit: &Hit, clean: Clean<'_>) -> Hit {
    Hit {
        rule: hit.rule,
        weight: hit.weight.clone(),
        place: clean(&hit.place),
        why: clean(&hit.why),
        remedy: clean(&hit.remedy),
    }
}

fn root(root: &Root, clean: Clean<'_>) -> Root {
    let secrets = root.secrets.iter().map(|key| SecretKey {
        namespace: clean(&key.namespace),
        name: clean(&key.name),
        key: key.key.as_deref().map(clean),
    });
    let config_maps = root.config_maps.iter().map(|key| ConfigMapKey {
        namespace: clean(&key.namespace),
        name: clean(&key.name),
        key: key.key.as_deref().map(clean),
    });
    Root {
        known: root.known.clone(),
        what: clean(&root.what),
        id: clean(&root.id),
        claims: root.claims.as_deref().map(clean),
        secrets: secrets.collect(),
        config_maps: config_maps.collect(),
        objects: root.objects.iter().map(|object| clean(object)).collect(),
        more: root.more,
        class: root.class,
        opens: root.opens.clone(),
        rules: root.rules.clone(),
        hits: root.hits.iter().map(|it| hit(it, clean)).collect(),
    }
}
