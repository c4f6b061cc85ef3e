//! The callee's side: what stands before an application, judges who may call it and says who calls.

#[cfg(test)]
mod tests;

use crate::access::Caller;
use crate::api::path;
use crate::app::App;
use crate::config::{AccessControl, Action, Callers, PluginConfig, Problem, TOKEN_HEADER};
use crate::exchange::{AnswerHead, ResponseStep, made_up, named_by_connection};
use crate::grpc::is_grpc;
use crate::host::Host;
use crate::http::{Headers, Reply};
use crate::invoke::{Edits, direct_invoke, tell_token};
use crate::telemetry::Trace;
use crate::worker::Vm;
use std::rc::Rc;

/// Header fields of a request that come from the caller's side and must be there at most once.
const CALLER: &[&str] = &["dapr-caller-app-id", "dapr-caller-namespace", "dapr-callee-app-id"];

/// What the shell does with a request to the application.
#[derive(Debug, PartialEq, Eq)]
pub enum RequestStep {
    /// Change the headers, then let it go on.
    Forward(Edits),
    /// Answer it.
    Refuse(Reply),
    /// Answer a gRPC request with `PERMISSION_DENIED` and this message.
    Deny(String),
}

/// One application, as its callee's side knows it.
pub struct Callee {
    app: Rc<App>,
    /// How callers are told apart, if they are.
    callers: Option<Callers>,
}

impl Callee {
    /// For the role `weft.inbound`, from the JSON text of its configuration.
    ///
    /// # Errors
    /// Everything that is wrong with the text.
    pub fn read(text: &[u8], host: Rc<dyn Host>, vm: Vm) -> Result<Rc<Self>, Vec<Problem>> {
        let app = App::callee(text, host, vm)?;
        let config = app.config();
        let callers = config.callers.clone().or_else(|| config.access_control.is_some().then(Callers::default));
        Ok(Rc::new(Self { app, callers }))
    }

    /// A request's headers are here. `certificate` gives the URI in the certificate of the connection's other end.
    pub fn request(&self, headers: &Headers, certificate: impl FnOnce() -> Option<Vec<u8>>) -> RequestStep {
        let mut edits = request_edits(self.app.config(), headers, &self.app.kept_trace(headers));
        let Some(callers) = &self.callers else { return RequestStep::Forward(edits) };
        let identity = callers.identity(headers, certificate);
        let caller = callers.caller(headers, identity.as_deref());
        if let Some(rules) = &self.app.config().access_control {
            let refused = self.judge(rules, headers, identity.as_deref(), caller.as_ref(), &mut edits);
            if let Some(refused) = refused {
                return refused;
            }
        }
        tell(caller.as_ref(), headers, &mut edits);
        RequestStep::Forward(edits)
    }

    /// Holds a request against the rules. The path that is judged is the one that is sent.
    #[inline(never)]
    fn judge(
        &self,
        rules: &AccessControl,
        headers: &Headers,
        identity: Option<&str>,
        caller: Option<&Caller<'_>>,
        edits: &mut Edits,
    ) -> Option<RequestStep> {
        let (Some(verb), Some(raw)) = (headers.text(":method"), headers.text(":path")) else {
            return Some(self.refuse(headers, 500, "the request's path is not UTF-8; encode other bytes as %XX"));
        };
        let (written, query) = path::split_query(raw);
        if matches!(verb, "GET" | "HEAD") && rules.probes.iter().any(|probe| probe == written) {
            return None;
        }
        let Ok(mut sent) = path::method_path(written) else {
            return Some(self.refuse(headers, 500, "invalid method: its path holds a forbidden character"));
        };
        if rules.judge(caller, verb, &sent) == Action::Deny {
            let id = identity.unwrap_or("");
            let what = "access control policy has denied access to id: ";
            let why = [what, id, " operation: ", &sent, " verb: ", verb].concat();
            return Some(self.refuse(headers, 403, &why));
        }
        if sent != written {
            if let Some(query) = query {
                sent.push('?');
                sent.push_str(query);
            }
            edits.set.push((":path", sent.into_bytes()));
        }
        None
    }

    #[inline(never)]
    fn refuse(&self, headers: &Headers, status: u16, why: &str) -> RequestStep {
        if is_grpc(headers) {
            return RequestStep::Deny(why.to_owned());
        }
        let code = if status == 403 { "rpc error: code = PermissionDenied desc = " } else { "" };
        RequestStep::Refuse(direct_invoke(status, &self.app.config().app_id, &[code, why].concat()))
    }

    /// What is done with the application's answer, or with what the proxy made up in its place. Fields of one connection
    /// are left to the caller's side.
    pub fn response(&self, answer: &dyn AnswerHead) -> ResponseStep {
        let config = self.app.config();
        let authority = config.app.as_ref().map_or("", |app| app.authority.as_str());
        if let Some(error) = made_up(answer, &config.app_id, authority) {
            let is_unhealthy = answer.details().starts_with("no_healthy_upstream");
            let unhealthy = || direct_invoke(500, &config.app_id, "app is not in a healthy state");
            return ResponseStep::Replace(if is_unhealthy { unhealthy() } else { error });
        }
        // Other fields of one connection are left to the caller's side; only here can it be seen which the answer names.
        let remove_named = named_by_connection(answer);
        if remove_named.is_empty() {
            return ResponseStep::Continue;
        }
        ResponseStep::Edit(Edits { remove_named, ..Edits::default() })
    }
}

/// Changes to a request that reaches the application: whose it is, who calls (as the caller's proxy says), the trace.
fn request_edits(config: &PluginConfig, headers: &Headers, trace: &Trace) -> Edits {
    let mut edits = Edits::default();
    for name in CALLER {
        let mut values = headers.all(name);
        // Two values mean that somebody besides the caller's proxy wrote one.
        if values.next().is_some() && values.next().is_some() {
            edits.remove.push(name);
        }
    }
    if !tell_token(config, &mut edits) && headers.get(TOKEN_HEADER).is_some() {
        edits.remove.push(TOKEN_HEADER);
    }
    if headers.get("dapr-caller-app-id").is_some() {
        edits.put(headers, "dapr-callee-app-id", config.app_id.clone().into_bytes());
        // An application sees its own address; other requests than Dapr's keep theirs.
        if let Some(app) = &config.app {
            edits.put(headers, ":authority", app.authority.clone().into_bytes());
        }
    }
    trace.edit(headers, &mut edits);
    edits
}

/// Tells the application the caller that is known, and no other.
#[inline(never)]
fn tell(caller: Option<&Caller<'_>>, headers: &Headers, edits: &mut Edits) {
    let known =
        [("dapr-caller-app-id", caller.map(|it| it.app_id)), ("dapr-caller-namespace", caller.map(|it| it.namespace))];
    for (name, value) in known {
        match value {
            Some(value) => edits.put(headers, name, value.as_bytes().to_vec()),
            None if headers.get(name).is_some() && !edits.remove.contains(&name) => edits.remove.push(name),
            None => {}
        }
    }
}
