//! Reads everything of External Secrets Operator: first what kinds there are, then the lists, then only what they name.
//! No more than [`IN_FLIGHT`] of each of these are under way at any time.

use std::collections::BTreeSet;

use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};

use super::{
    Controller, Estate, Facts, Inventory, Mode, Preflight, StoreSchema,
    beside::NotesRead,
    discover::Kinds,
    kinds::{
        self, CLUSTER_SECRET_STORES, CONFIG_MAPS, CRON_JOBS, DAEMON_SETS, DEFINITIONS, DEPLOYMENTS, JOBS,
        LEASES, PODS, Part, REPLICA_SETS, SECRET_STORES, SECRETS, STATEFUL_SETS,
    },
    lists::{Bindings, Leases, States, Taken},
    recognise::ControllersRead,
    replaced,
    usage::UsersRead,
    wanted::{Name, Wanted},
};
use crate::{
    cluster::{
        Cluster, is_label, is_subdomain,
        objects::{Collected, Items, Look, Object, Resource, Unseen, broken_item},
    },
    credentials::{OutsideReader, Reader},
    error::Result,
};

/// Requests under way at the same time. An API server serves an ordinary client about as many.
pub(super) const IN_FLIGHT: usize = 16;
/// Of answers that are held whole.
const SECRETS_IN_FLIGHT: usize = 4;

/// How much is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// Stores and their users whole, to change something.
    Estate,
    /// Of the users only what they use; beside it every place where a credential could be.
    Inventory(Mode),
}

impl Depth {
    fn mode(self) -> Mode {
        match self {
            Self::Estate => Mode::Deep,
            Self::Inventory(mode) => mode,
        }
    }
}

impl Cluster {
    /// Everything of External Secrets Operator that an audit needs. What may not be read is in `unseen`; only a
    /// cluster that does not answer at all is an error.
    pub(crate) async fn inventory(&self, mode: Mode) -> Result<Inventory> {
        let (read, user) = futures::join!(self.read(Depth::Inventory(mode)), self.user());
        let (user, user_unknown) = match user {
            Ok(user) => (Some(user), None),
            Err(why) => (None, Some(why)),
        };
        let facts = Facts { user, user_unknown, version: self.facts.version(), lists: self.facts.lists() };
        Ok(Inventory { facts, ..read?.0 })
    }

    /// Everything of External Secrets Operator, with the installed schemas and the users whole.
    pub(crate) async fn estate(&self) -> Result<Estate> {
        let ((inventory, users), cluster_schema, namespaced_schema) = futures::try_join!(
            self.read(Depth::Estate),
            self.schema_of(&CLUSTER_SECRET_STORES),
            self.schema_of(&SECRET_STORES)
        )?;
        let is_push = |object: &Object| object.kind().ends_with("PushSecret");
        let (push_secrets, external_secrets) = users.into_iter().partition(is_push);
        Ok(Estate { inventory, cluster_schema, namespaced_schema, external_secrets, push_secrets })
    }

    async fn schema_of(&self, stores: &Resource) -> Result<Look<StoreSchema>> {
        let definition = self.look_at(&DEFINITIONS, None, &stores.name()).await?;
        Ok(definition.map(|definition| StoreSchema::of(&definition)))
    }

    async fn read(&self, depth: Depth) -> Result<(Inventory, Vec<Object>)> {
        let reviews = async {
            Ok(match depth {
                Depth::Estate => Vec::new(),
                Depth::Inventory(mode) => self.reviews(mode).await,
            })
        };
        // Side by side: no list waits for a review, which decides nothing.
        let ((mut inventory, users, kinds), reviews) = futures::try_join!(self.look_through(depth), reviews)?;
        if let Some(kinds) = kinds {
            inventory.preflight = Preflight::of(reviews, &kinds);
        }
        Ok((inventory, users))
    }

    /// The objects, and what kinds there are where that is known.
    async fn look_through(&self, depth: Depth) -> Result<(Inventory, Vec<Object>, Option<Kinds>)> {
        let kinds = match self.kinds().await? {
            Look::Seen(kinds) => kinds,
            // Nothing else that such a server says is believed.
            Look::Unseen(unseen) => {
                let unseen = BTreeSet::from([unseen]);
                let inventory = Inventory {
                    mode: depth.mode(),
                    installed: true,
                    unseen,
                    stores_unseen: true,
                    generators_unseen: true,
                    ..Inventory::default()
                };
                return Ok((inventory, Vec::new(), None));
            }
            Look::Absent => return Ok((Inventory::default(), Vec::new(), None)),
        };
        let mut inventory = Inventory {
            mode: depth.mode(),
            installed: kinds.installed,
            unseen: kinds.unseen.clone(),
            stores_unseen: !kinds.unseen.is_empty(),
            generators_unseen: !kinds.unseen.is_empty(),
            ..Inventory::default()
        };
        let of_others = kinds.of_others();
        let mut users = Vec::new();
        let (mut bindings, mut leases) = (Bindings::default(), Vec::new());
        let mut lists: Vec<BoxFuture<'_, Result<Taken>>> = Vec::new();
        for (resource, part) in &kinds.present {
            lists.push(self.list_of_kind(resource, *part, depth));
        }
        for resource in &kinds.others {
            lists.push(self.whole_list(resource).map(|list| list.map(Taken::UnknownKinds)).boxed());
        }
        for resource in [&DEPLOYMENTS, &STATEFUL_SETS, &DAEMON_SETS] {
            if !kinds.reads(resource) {
                continue;
            }
            lists.push(self.controllers_of(resource, depth).boxed());
        }
        lists.push(self.bindings().boxed());
        if let Depth::Inventory(mode) = depth {
            lists.push(self.controllers_of(&PODS, depth).boxed());
            let own = [&REPLICA_SETS, &JOBS, &CRON_JOBS].into_iter().filter(|resource| kinds.reads(resource));
            match mode {
                Mode::Refs => {}
                Mode::Metadata => lists.push(self.outside_of_secrets().boxed()),
                Mode::Deep => lists.push(self.sightings_of(&SECRETS).boxed()),
            }
            inventory.unseen.extend(mode.not_seen());
            for resource in [&CONFIG_MAPS].into_iter().chain(own) {
                lists.push(self.sightings_of(resource).boxed());
            }
            for resource in &of_others {
                lists.push(self.sightings_of(resource).boxed());
            }
            if kinds.reads(&LEASES) {
                lists.push(self.leases().boxed());
            }
            lists.push(self.notes().boxed());
        }
        let mut answers = stream::iter(lists).buffer_unordered(IN_FLIGHT);
        while let Some(taken) = answers.try_next().await? {
            match taken {
                Taken::Bindings(read) => bindings = read,
                Taken::Leases(read) => leases = read,
                other => inventory.take(other, &mut users),
            }
        }
        drop(answers);
        inventory.in_order();
        if depth != Depth::Estate {
            self.take_leaders(&mut inventory, &leases).await?;
        }
        self.take_named(&mut inventory, depth).await?;
        self.take_minting(&mut inventory, &bindings).await?;
        if depth == Depth::Estate {
            for controller in &mut inventory.controllers {
                controller.installed = self.installed(controller, &bindings).await?;
            }
        }
        Ok((inventory, users, Some(kinds)))
    }

    fn list_of_kind<'a>(
        &'a self,
        resource: &'a Resource,
        part: Part,
        depth: Depth,
    ) -> BoxFuture<'a, Result<Taken>> {
        async move {
            Ok(match part {
                Part::Store => Taken::Stores(self.whole_list(resource).await?),
                Part::Generator => Taken::Generators(self.whole_list(resource).await?),
                Part::GeneratorState => {
                    let mut states = States::new(resource);
                    let look = self.look_for_each(resource, None, "", &mut states).await?;
                    Taken::Generators((states.objects, with(look, states.unseen)))
                }
                Part::User => {
                    let mut users = UsersRead::new(resource, depth == Depth::Estate);
                    let look = self.look_for_each(resource, None, "", &mut users).await?;
                    Taken::Users(users.usage, users.objects.unwrap_or_default(), with(look, users.unseen))
                }
                Part::Local => Taken::Nothing,
            })
        }
        .boxed()
    }

    async fn whole_list(&self, resource: &Resource) -> Result<(Vec<Object>, BTreeSet<Unseen>)> {
        let mut list = Collected::new(resource);
        let look = self.look_for_each(resource, None, "", &mut list).await?;
        let broken = list.broken.iter().map(|name| broken_item(resource, name.as_deref()));
        Ok((list.objects, with(look, broken.collect())))
    }

    /// Workloads or pods: those that run the operator, and the credentials in all of them.
    async fn controllers_of(&self, resource: &'static Resource, depth: Depth) -> Result<Taken> {
        let mut read = ControllersRead::new(resource);
        let mut sightings = Reader::new(resource);
        let look = match depth {
            Depth::Estate => self.look_for_each(resource, None, "", &mut read).await?,
            Depth::Inventory(_) => {
                self.look_for_each(resource, None, "", &mut Both(&mut read, &mut sightings)).await?
            }
        };
        let unseen = with(look, read.unseen);
        let mut sightings = sightings.sightings;
        sightings.unseen.extend(unseen.iter().cloned());
        Ok(match resource.kind.as_ref() {
            "Pod" => Taken::Pods((read.controllers, unseen), sightings),
            _ => Taken::Controllers((read.controllers, unseen), sightings),
        })
    }

    /// The credentials in all objects of a kind.
    async fn sightings_of(&self, resource: &Resource) -> Result<Taken> {
        let mut read = Reader::new(resource);
        let look = self.look_for_each(resource, None, "", &mut read).await?;
        let is_whole = !matches!(look, Look::Unseen(_));
        let mut sightings = read.sightings;
        sightings.unseen = with(look, std::mem::take(&mut sightings.unseen));
        Ok(Taken::Sightings { sightings, secrets: is_whole && resource.name() == SECRETS.name() })
    }

    /// The Secrets by their metadata: no value of one is asked for.
    async fn outside_of_secrets(&self) -> Result<Taken> {
        let mut read = OutsideReader::default();
        let look = self.look_for_each_row(&SECRETS, &mut read).await?;
        let (mut sightings, outside) = read.ended();
        sightings.unseen = with(look, std::mem::take(&mut sightings.unseen));
        Ok(Taken::Outside(sightings, outside))
    }

    async fn bindings(&self) -> Result<Taken> {
        let mut bindings = Bindings::default();
        bindings.look = self.look_for_each(&kinds::CLUSTER_ROLE_BINDINGS, None, "", &mut bindings).await?;
        Ok(Taken::Bindings(bindings))
    }

    /// Who leads where several controllers run: a sign of one that nothing else tells.
    async fn leases(&self) -> Result<Taken> {
        let mut leases = Leases::default();
        let selector = "fieldSelector=metadata.name%3Dexternal-secrets-controller";
        let look = self.look_for_each(&LEASES, None, selector, &mut leases).await?;
        // Without them a controller that nothing else tells is one that serves nothing that is known.
        Ok(match look {
            Look::Unseen(unseen) => Taken::Unseen(unseen),
            Look::Seen(()) | Look::Absent => Taken::Leases(leases.holders),
        })
    }

    async fn notes(&self) -> Result<Taken> {
        let mut notes = NotesRead::new(&CONFIG_MAPS);
        let look = self
            .look_for_each(&CONFIG_MAPS, Some(replaced::NAMESPACE), replaced::SELECTOR, &mut notes)
            .await?;
        Ok(Taken::Notes(notes.found, with(look, notes.unseen)))
    }

    /// Pods that lead and that nothing else tells.
    async fn take_leaders(&self, inventory: &mut Inventory, holders: &[Name]) -> Result<()> {
        for (namespace, pod) in holders {
            let known = inventory.controllers.iter().chain(&inventory.pods).any(|controller| {
                controller.namespace == *namespace
                    && pod
                        .strip_prefix(&controller.name)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
            });
            if known {
                continue;
            }
            match self.look_at(&PODS, Some(namespace), pod).await? {
                Look::Seen(pod) => inventory.controllers.extend(Controller::leader(&pod)),
                Look::Unseen(unseen) => drop(inventory.unseen.insert(unseen)),
                // It led, and is gone: the next lease names the next leader.
                Look::Absent => {}
            }
        }
        Ok(())
    }

    /// What stores, generators and controllers name, and what lies beside them.
    async fn take_named(&self, inventory: &mut Inventory, depth: Depth) -> Result<()> {
        self.take_wanted(inventory, inventory.wanted()).await?;
        // A second time for what the ServiceAccounts name.
        let tokens = inventory.wanted_tokens();
        self.take_wanted(inventory, tokens).await?;
        if depth != Depth::Inventory(Mode::Deep) || !inventory.installed || inventory.secrets_listed {
            return Ok(());
        }
        // Those of the whole cluster could not be listed; those beside the stores perhaps can.
        let namespaces = inventory.namespaces();
        let lists = namespaces.iter().map(|namespace| async move {
            let mut read = Reader::new(&SECRETS);
            let look = self.look_for_each(&SECRETS, Some(namespace), "", &mut read).await?;
            let mut sightings = read.sightings;
            sightings.unseen = with(look, std::mem::take(&mut sightings.unseen));
            Result::Ok(sightings)
        });
        let mut lists = stream::iter(lists).buffer_unordered(SECRETS_IN_FLIGHT);
        while let Some(sightings) = lists.try_next().await? {
            inventory.sightings.merge(sightings);
        }
        Ok(())
    }

    async fn take_wanted(&self, inventory: &mut Inventory, wanted: Wanted) -> Result<()> {
        let Wanted { secrets, config_maps, accounts } = wanted;
        // Tenants write what they like, and nothing can be there under such a name.
        let can_be = |(namespace, name): &Name| is_label(namespace) && is_subdomain(name);
        let not_seen = inventory.mode.not_seen();
        let not_seen = not_seen.as_ref();
        let mut seen = stream::iter(&secrets)
            .map(|(name, keys)| async move {
                let secret = match (can_be(name), not_seen) {
                    (true, None) => self.body_of(&SECRETS, name).await?,
                    (true, Some(unseen)) => Look::Unseen(unseen.clone()),
                    (false, _) => Look::Absent,
                };
                Result::Ok((keys, secret))
            })
            .buffer_unordered(SECRETS_IN_FLIGHT);
        while let Some((keys, secret)) = seen.try_next().await? {
            inventory.take_secret(keys, &secret);
        }
        let mut seen = stream::iter(&config_maps)
            .map(|(name, keys)| async move {
                let config_map = match can_be(name) {
                    true => self.body_of(&CONFIG_MAPS, name).await?,
                    false => Look::Absent,
                };
                Result::Ok((keys, config_map))
            })
            .buffer_unordered(SECRETS_IN_FLIGHT);
        while let Some((keys, config_map)) = seen.try_next().await? {
            inventory.take_config_map(keys, &config_map);
        }
        for (name, account) in self.accounts(accounts).await? {
            inventory.take_account(name, account);
        }
        Ok(())
    }

    /// Whose tokens each controller may mint, from the ClusterRoles that it is bound to.
    async fn take_minting(&self, inventory: &mut Inventory, bindings: &Bindings) -> Result<()> {
        for controller in inventory.controllers.iter_mut().chain(&mut inventory.pods) {
            controller.minting = self.minting(controller, bindings).await?;
        }
        Ok(())
    }
}

/// Two readers of one list.
struct Both<'a>(&'a mut dyn Items, &'a mut dyn Items);

impl Items for Both<'_> {
    fn begin(&mut self) {
        self.0.begin();
        self.1.begin();
    }

    fn take(&mut self, json: &[u8]) {
        self.0.take(json);
        self.1.take(json);
    }
}

/// What could not be looked at, of a list and of its items.
fn with(look: Look<()>, mut unseen: BTreeSet<Unseen>) -> BTreeSet<Unseen> {
    if let Look::Unseen(list) = look {
        unseen.insert(list);
    }
    unseen
}
