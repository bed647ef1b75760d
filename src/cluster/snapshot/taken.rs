//! What the lists came to, put together.

use std::collections::BTreeSet;

use super::{Controller, Generator, Inventory, Replaced, Store, kinds::CONFIG_MAPS, lists::Taken, replaced};
use crate::cluster::objects::Object;

impl Inventory {
    pub(super) fn take(&mut self, taken: Taken, users: &mut Vec<Object>) {
        let unseen = match taken {
            Taken::Stores((objects, unseen)) => {
                self.stores.extend(objects.into_iter().map(Store));
                self.stores_unseen |= !unseen.is_empty();
                unseen
            }
            Taken::Generators((objects, unseen)) => {
                self.generators.extend(objects.into_iter().map(Generator));
                self.generators_unseen |= !unseen.is_empty();
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
            Taken::Controllers((controllers, unseen), sightings) => {
                self.controllers.extend(controllers);
                self.sightings.merge(sightings);
                unseen
            }
            Taken::Pods((pods, unseen), sightings) => {
                self.pods.extend(pods);
                self.sightings.merge(sightings);
                unseen
            }
            Taken::Sightings { sightings, secrets } => {
                self.secrets_listed |= secrets;
                self.sightings.merge(sightings);
                BTreeSet::new()
            }
            Taken::Outside(sightings, outside) => {
                self.sightings.merge(sightings);
                self.secrets_outside = Some(outside);
                BTreeSet::new()
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
        self.see_stores();
        // Who may not list all ConfigMaps needs no second reason.
        let all = CONFIG_MAPS.right("list", None, None);
        if self.sightings.unseen.iter().any(|unseen| unseen.right == all) {
            let own = CONFIG_MAPS.right("list", Some(replaced::NAMESPACE), None);
            self.unseen.retain(|unseen| unseen.right != own);
        }
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
        let noted = self.stores.iter().filter_map(Replaced::of_store);
        self.replaced.extend(noted.collect::<Vec<_>>());
    }
}
