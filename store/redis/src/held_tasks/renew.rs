//! Renews leases, and compares what this process holds with what Redis says that it holds.

use std::collections::{HashMap, HashSet};

use circles_store::{Error, TaskId};
use fred::types::Value;

use super::{HeldState, HeldTasks};
use crate::{node::lua_millis, scripts::RENEW};

/// A claim as `renew.lua` returns it: task, epoch, whether the task is cancelled, and the servers that watch it.
type RenewedClaim = (String, String, i64, Vec<String>);

/// The duties that follow from a renewal.
#[derive(Debug, PartialEq)]
struct Renewal {
    /// Claims that this process does not hold, as task and epoch in turn. They have to be returned to the queue.
    stray: Vec<String>,
    /// Servers that watch a held task and receive nothing of its log yet.
    watchers: Vec<(TaskId, String)>,
}

impl HeldTasks {
    /// Renews the leases of all shards in which this process holds tasks.
    pub(crate) async fn renew(&self) {
        let shards: HashSet<u16> = self.lock().held.values().map(|held| held.shard).collect();
        for shard in shards {
            if let Err(error) = self.renew_shard(shard, &[]).await {
                tracing::debug!(%error, "cannot renew a lease");
            }
        }
    }

    /// Renews the lease of a shard, or returns claims to the queue, given as task and epoch in turn. Interrupts tasks
    /// that are cancelled or no longer ours.
    pub(super) async fn renew_shard(&self, shard: u16, returned: &[String]) -> Result<(), Error> {
        let held: Vec<(TaskId, String)> = {
            let state = self.lock();
            let held = state.held.iter().filter(|(_, held)| held.shard == shard);
            held.map(|(id, held)| (*id, held.epoch.clone())).collect()
        };
        let claims: Vec<RenewedClaim> = self.node.run(&RENEW, shard, self.renew_args(returned)).await?;
        let stray = {
            let mut state = self.lock();
            let Renewal { stray, watchers } = state.apply_renewal(shard, held, claims);
            for (id, server) in watchers {
                if let Some(task) = state.held.get_mut(&id) {
                    task.forward_log(&self.node, id, server);
                }
            }
            stray
        };
        if !stray.is_empty() {
            self.node.run::<Value>(&RENEW, shard, self.renew_args(&stray)).await?;
        }
        Ok(())
    }

    fn renew_args(&self, returned: &[String]) -> Vec<Value> {
        let mut args = vec![Value::from(self.node.id.clone()), lua_millis(self.node.config.lease).into()];
        args.extend(returned.iter().map(|text| Value::from(text.as_str())));
        args
    }
}

impl HeldState {
    /// Interrupts tasks that Redis no longer knows as ours or that are cancelled, and finds stray claims: a claim whose
    /// reply never arrived would be held for ever.
    fn apply_renewal(
        &mut self,
        shard: u16,
        held: Vec<(TaskId, String)>,
        claims: Vec<RenewedClaim>,
    ) -> Renewal {
        let mut claims: HashMap<(String, String), (i64, Vec<String>)> = claims
            .into_iter()
            .map(|(id, epoch, cancelled, watchers)| ((id, epoch), (cancelled, watchers)))
            .collect();
        let mut watchers = Vec::new();
        for (id, epoch) in held {
            let claim = claims.remove(&(id.to_string(), epoch.clone()));
            let Some(task) = self.held.get_mut(&id).filter(|task| task.epoch == epoch) else { continue };
            match claim {
                Some((0, servers)) => {
                    let new = servers.into_iter().filter(|server| !task.forwards_to(server));
                    watchers.extend(new.map(|server| (id, server)));
                }
                _ => task.interrupt.cancel(),
            }
        }
        // A claim may be under way at this moment. One that is unknown twice in a row is stray.
        let unknown: HashSet<(String, String)> = claims.into_keys().collect();
        let before = self.unknown.insert(shard, unknown.clone()).unwrap_or_default();
        let stray =
            unknown.intersection(&before).flat_map(|(id, epoch)| [id.clone(), epoch.clone()]).collect();
        Renewal { stray, watchers }
    }
}

#[cfg(test)]
mod tests {
    use circles_api::CircleId;
    use tokio_util::sync::CancellationToken;

    use super::{super::HeldTask, *};

    fn id(number: u8) -> TaskId {
        format!("01890a5d-ac96-774b-bcce-b302099a80{number:02}").parse().unwrap()
    }

    /// A state that holds the task of this number under the epoch of this number.
    fn holding(number: u8) -> (HeldState, CancellationToken, Vec<(TaskId, String)>) {
        let interrupt = CancellationToken::new();
        let task = HeldTask {
            shard: 3,
            epoch: number.to_string(),
            circle: CircleId::from_bytes([2; 33]).unwrap(),
            interrupt: interrupt.clone(),
            log: Default::default(),
            forwarding: Default::default(),
            started: None,
        };
        let mut state = HeldState::default();
        state.held.insert(id(number), task);
        (state, interrupt, vec![(id(number), number.to_string())])
    }

    fn claim(number: u8, cancelled: i64, watchers: &[&str]) -> RenewedClaim {
        let watchers = watchers.iter().map(|server| (*server).to_owned()).collect();
        (id(number).to_string(), number.to_string(), cancelled, watchers)
    }

    #[test]
    fn renewal_interrupts_cancelled_and_lost_tasks_only() {
        for (claims, is_interrupted) in
            [(vec![claim(7, 0, &[])], false), (vec![claim(7, 1, &[])], true), (vec![], true)]
        {
            let (mut state, interrupt, held) = holding(7);
            state.apply_renewal(3, held, claims);
            assert_eq!(interrupt.is_cancelled(), is_interrupted);
        }
    }

    #[test]
    fn renewal_names_servers_that_watch() {
        let (mut state, _, held) = holding(7);
        let renewal = state.apply_renewal(3, held, vec![claim(7, 0, &["a"])]);
        assert_eq!(renewal, Renewal { stray: Vec::new(), watchers: vec![(id(7), "a".to_owned())] });
    }

    #[test]
    fn claim_that_is_unknown_twice_is_stray() {
        let (mut state, _, held) = holding(7);
        let claims = || vec![claim(7, 0, &[]), claim(8, 0, &[])];
        assert_eq!(state.apply_renewal(3, held.clone(), claims()).stray, Vec::<String>::new());
        assert_eq!(state.apply_renewal(4, Vec::new(), vec![]).stray, Vec::<String>::new());
        assert_eq!(state.apply_renewal(3, held, claims()).stray, [id(8).to_string(), "8".to_owned()]);
    }
}
