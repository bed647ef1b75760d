//! Reads everything of External Secrets Operator: first what kinds there are, then the lists, then only what they name.
//! No more than [`IN_FLIGHT`] requests are under way at any time.

use std::collections::BTreeSet;

use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};

use super::{
    Controller, Estate, Generator, Inventory, Store, StoreSchema,
    kinds::{
        self, CLUSTER_SECRET_STORES, CONFIG_MAPS, DAEMON_SETS, DEFINITIONS, DEPLOYMENTS, LEASES, PODS, Part,
        SECRET_STORES, SECRETS, SERVICE_ACCOUNTS, STATEFUL_SETS,
    },
    lists::{Bindings, Leases, States, Taken},
    recognise::ControllersRead,
    replaced,
    stray::{NotesRead, StraysRead},
    usage::UsersRead,
    wanted::{Name, Wanted},
};
use crate::{
    cluster::{
        Cluster, is_label, is_subdomain,
        objects::{Collected, Look, Object, Resource, Unseen, broken_item},
    },
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
    Inventory,
}

impl Cluster {
    /// Everything of External Secrets Operator that an audit needs. What may not be read is in `unseen`; only a
    /// cluster that does not answer at all is an error.
    pub(crate) async fn inventory(&self) -> Result<Inventory> {
        Ok(self.read(Depth::Inventory).await?.0)
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
        let kinds = match self.kinds().await? {
            Look::Seen(kinds) => kinds,
            // Nothing else that such a server says is believed.
            Look::Unseen(unseen) => {
                let unseen = BTreeSet::from([unseen]);
                let inventory =
                    Inventory { installed: true, unseen, stores_unseen: true, ..Inventory::default() };
                return Ok((inventory, Vec::new()));
            }
            Look::Absent => return Ok((Inventory::default(), Vec::new())),
        };
        let mut inventory = Inventory {
            installed: kinds.installed,
            unseen: kinds.unseen.clone(),
            stores_unseen: !kinds.unseen.is_empty(),
            ..Inventory::default()
        };
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
            lists.push(self.controllers_of(resource).map(|read| read.map(Taken::Controllers)).boxed());
        }
        lists.push(self.bindings().boxed());
        if depth == Depth::Inventory {
            lists.push(self.controllers_of(&PODS).map(|read| read.map(Taken::Pods)).boxed());
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
        if depth == Depth::Inventory {
            self.take_leaders(&mut inventory, &leases).await?;
        }
        self.take_named(&mut inventory, depth).await?;
        self.take_minting(&mut inventory, &bindings).await?;
        if depth == Depth::Estate {
            for controller in &mut inventory.controllers {
                controller.installed = self.installed(controller, &bindings).await?;
            }
        }
        Ok((inventory, users))
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

    async fn controllers_of(
        &self,
        resource: &'static Resource,
    ) -> Result<(Vec<Controller>, BTreeSet<Unseen>)> {
        let mut read = ControllersRead::new(resource);
        let look = self.look_for_each(resource, None, "", &mut read).await?;
        Ok((read.controllers, with(look, read.unseen)))
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
        if depth == Depth::Estate || !inventory.installed {
            return Ok(());
        }
        let namespaces = inventory.namespaces();
        let lists = namespaces.iter().map(|namespace| async move {
            let mut strays = StraysRead::new(&SECRETS);
            let look = self.look_for_each(&SECRETS, Some(namespace), "", &mut strays).await?;
            Result::Ok((strays.found, with(look, strays.unseen)))
        });
        let mut lists = stream::iter(lists).buffer_unordered(SECRETS_IN_FLIGHT);
        while let Some((found, unseen)) = lists.try_next().await? {
            inventory.strays.extend(found);
            inventory.unseen.extend(unseen);
        }
        Ok(())
    }

    async fn take_wanted(&self, inventory: &mut Inventory, wanted: Wanted) -> Result<()> {
        let Wanted { secrets, config_maps, accounts } = wanted;
        // Tenants write what they like, and nothing can be there under such a name.
        let can_be = |(namespace, name): &Name| is_label(namespace) && is_subdomain(name);
        let mut seen = stream::iter(&secrets)
            .map(|(name, keys)| async move {
                let secret = match can_be(name) {
                    true => self.body_of(&SECRETS, name).await?,
                    false => Look::Absent,
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
        let mut seen = stream::iter(accounts)
            .map(|name| async move {
                let account = match can_be(&name) {
                    true => self.look_at(&SERVICE_ACCOUNTS, Some(&name.0), &name.1).await?,
                    false => Look::Absent,
                };
                Result::Ok((name, account))
            })
            .buffer_unordered(IN_FLIGHT);
        while let Some((name, account)) = seen.try_next().await? {
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

/// What could not be looked at, of a list and of its items.
fn with(look: Look<()>, mut unseen: BTreeSet<Unseen>) -> BTreeSet<Unseen> {
    if let Look::Unseen(list) = look {
        unseen.insert(list);
    }
    unseen
}

impl Inventory {
    fn take(&mut self, taken: Taken, users: &mut Vec<Object>) {
        let unseen = match taken {
            Taken::Stores((objects, unseen)) => {
                self.stores.extend(objects.into_iter().map(Store));
                self.stores_unseen |= !unseen.is_empty();
                unseen
            }
            Taken::Generators((objects, unseen)) => {
                self.generators.extend(objects.into_iter().map(Generator));
                unseen
            }
            Taken::Users(usage, objects, unseen) => {
                self.usage.merge(usage);
                users.extend(objects);
                unseen
            }
            Taken::UnknownKinds((objects, unseen)) => {
                self.unknown_kinds.extend(objects);
                unseen
            }
            Taken::Controllers((controllers, unseen)) => {
                self.controllers.extend(controllers);
                unseen
            }
            Taken::Pods((pods, unseen)) => {
                self.pods.extend(pods);
                unseen
            }
            Taken::Notes(notes, unseen) => {
                self.replaced.extend(notes);
                unseen
            }
            Taken::Unseen(unseen) => BTreeSet::from([unseen]),
            Taken::Bindings(_) | Taken::Leases(_) | Taken::Nothing => BTreeSet::new(),
        };
        self.unseen.extend(unseen);
    }

    /// Brings what came in any order into one, and tells the pods that say nothing new.
    pub(super) fn in_order(&mut self) {
        let by_name = |object: &Object| {
            (object.kind().to_owned(), object.namespace().to_owned(), object.name().to_owned())
        };
        self.stores.sort_by_cached_key(|store| by_name(&store.0));
        self.generators.sort_by_cached_key(|generator| by_name(&generator.0));
        self.unknown_kinds.sort_by_cached_key(by_name);
        self.controllers.sort_by_cached_key(|it| (it.namespace.clone(), it.kind.clone(), it.name.clone()));
        self.pods.sort_by_cached_key(|it| (it.namespace.clone(), it.name.clone()));
        let (pods, controllers) = (std::mem::take(&mut self.pods), &mut self.controllers);
        for pod in pods {
            let of_pod = |controller: &Controller| {
                controller.namespace == pod.namespace
                    && pod.name.strip_prefix(&controller.name).is_some_and(|rest| rest.starts_with('-'))
            };
            if !controllers.iter().any(of_pod) {
                // It has no workload that was seen: the pod itself is the controller.
                controllers.push(pod);
            } else if !controllers.iter().any(|it| of_pod(it) && it.is_like(&pod))
                && !self.pods.iter().any(|it| it.namespace == pod.namespace && it.is_like(&pod))
            {
                self.pods.push(pod);
            }
        }
        let noted = self.stores.iter().filter_map(super::Replaced::of_store);
        self.replaced.extend(noted.collect::<Vec<_>>());
    }
}
