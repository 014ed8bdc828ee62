//! The OpenAPI 3.1 document, from the route table and the types of bodies and answers.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use heiiki_types::HttpResponse;
use schemars::SchemaGenerator;
use schemars::generate::{Contract, SchemaSettings};
use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use super::route::{Call, Parameter, Route, method_name};
use super::routes::{Failure, ROUTES};
use super::{Role, ok};
use crate::node::Hss;

/// Statuses that every call may fail with.
const COMMON_FAILURES: [u16; 5] = [400, 401, 403, 413, 503];

impl Hss {
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "it has the shape of a handler"
    )]
    pub(super) fn show_openapi(&mut self, _: &Call<'_>) -> Result<Option<HttpResponse>, Refusal> {
        Ok(Some(ok(document().to_string().into_bytes())))
    }
}

/// The document of the whole interface.
pub fn document() -> Value {
    let mut writer = Writer::new();
    let mut paths = Map::new();
    for route in ROUTES {
        let item = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            let method = method_name(route.method).to_ascii_lowercase();
            item.insert(method, writer.operation(route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "HSS: provisioning and operation",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Errors say what is wrong and what to do. Keys of SIMs go in and never come out.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "http://127.0.0.1:8081" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": writer.schemas(),
        },
    })
}

/// Collects what the operations refer to. What is read and what is written have different rules
/// for members that may be left out, so each direction has a generator of its own.
struct Writer {
    bodies: SchemaGenerator,
    answers: SchemaGenerator,
}

impl Writer {
    fn new() -> Self {
        let settings = |contract| {
            let mut settings = SchemaSettings::draft2020_12();
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
            settings.contract = contract;
            settings.into_generator()
        };
        Self {
            bodies: settings(Contract::Deserialize),
            answers: settings(Contract::Serialize),
        }
    }

    fn schemas(mut self) -> Map<String, Value> {
        let mut all = self.answers.take_definitions(true);
        all.extend(self.bodies.take_definitions(true));
        all
    }

    fn operation(&mut self, route: &Route) -> Value {
        let segments = route.path.split('/');
        let in_path = segments.filter_map(|s| s.strip_prefix('{')?.strip_suffix('}'));
        let mut parameters: Vec<Value> = in_path.map(path_parameter).collect();
        for (place, list) in [("query", route.query), ("header", route.headers)] {
            parameters.extend(list.iter().map(|p| self.parameter(place, p)));
        }
        let mut operation = json!({
            "operationId": route.name,
            "summary": route.summary,
            "description": format!("Roles: {}.", roles(route.role)),
            "tags": [route.path.split('/').nth(2).unwrap_or_default().trim_end_matches(".json")],
            "parameters": parameters,
            "responses": self.responses(route),
        });
        if let (Some(schema), Some(members)) = (route.body, operation.as_object_mut()) {
            let schema = schema(&mut self.bodies);
            let content = json!({ "application/json": { "schema": schema } });
            let body = json!({ "required": true, "content": content });
            members.insert("requestBody".to_string(), body);
        }
        operation
    }

    fn parameter(&mut self, place: &str, parameter: &Parameter) -> Value {
        json!({
            "name": parameter.name,
            "in": place,
            "required": false,
            "description": parameter.summary,
            "schema": (parameter.schema)(&mut self.bodies),
        })
    }

    fn responses(&mut self, route: &Route) -> Value {
        let mut responses = Map::new();
        let content = match route.answer {
            Some(schema) => json!({ "application/json": { "schema": schema(&mut self.answers) } }),
            None => json!({ "application/x-ndjson": {} }),
        };
        for status in route.statuses {
            let mut response = json!({ "description": "Done", "content": content });
            if *status == 304 {
                response = json!({ "description": "It still has that entity tag" });
            }
            responses.insert(status.to_string(), response);
        }
        let failure = self.answers.subschema_for::<Failure>();
        for status in COMMON_FAILURES.iter().chain(route.failures) {
            let content = json!({ "application/json": { "schema": failure } });
            let response = json!({ "description": meaning(*status), "content": content });
            responses.insert(status.to_string(), response);
        }
        Value::Object(responses)
    }
}

fn path_parameter(name: &str) -> Value {
    let schema = match name {
        "imsi" => json!({ "type": "string", "pattern": "^[0-9]{6,15}$" }),
        _ => json!({ "type": "string" }),
    };
    json!({ "name": name, "in": "path", "required": true, "schema": schema })
}

fn roles(needed: Role) -> String {
    let names = Role::ALL.into_iter().filter(|role| role.may(needed));
    names.map(Role::name).collect::<Vec<_>>().join(", ")
}

const fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The call cannot be read",
        401 => "No valid token",
        403 => "The role of the token does not cover the call",
        404 => "There is no such thing",
        409 => "It clashes with what is there",
        412 => "It has changed, or is there already",
        413 => "Too large",
        422 => "It can be read, and says something that cannot be",
        _ => "Not now",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use heiiki_types::Method;

    const METHODS: [Method; 5] = [
        Method::Get,
        Method::Post,
        Method::Put,
        Method::Patch,
        Method::Delete,
    ];

    /// Method, path and name of every operation of the document.
    fn operations(document: &Value) -> BTreeSet<(String, String, String)> {
        let mut found = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let name = operation["operationId"].as_str().unwrap();
                found.insert((method.to_uppercase(), path.clone(), name.to_string()));
            }
        }
        found
    }

    #[test]
    fn what_is_documented_is_routed_and_what_is_routed_is_documented() {
        let document = document();
        let documented = operations(&document);
        assert_eq!(documented.len(), ROUTES.len(), "two rows are one operation");
        let mut routed = BTreeSet::new();
        for (_, path, _) in &documented {
            // A text that no literal segment has.
            let call = path.replace('{', "~").replace('}', "");
            for method in METHODS {
                if let Ok((route, _)) = Route::find(ROUTES, method, &call) {
                    routed.insert((
                        method_name(method).to_string(),
                        route.path.to_string(),
                        route.name.to_string(),
                    ));
                }
            }
        }
        assert_eq!(routed, documented);
    }

    #[test]
    fn names_are_used_once_and_every_reference_leads_somewhere() {
        fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
            match value {
                Value::Object(members) => {
                    found.extend(members.get("$ref").and_then(Value::as_str));
                    members.values().for_each(|v| references(v, found));
                }
                Value::Array(items) => items.iter().for_each(|v| references(v, found)),
                _ => {}
            }
        }
        let document = document();
        let names: BTreeSet<_> = operations(&document).into_iter().map(|o| o.2).collect();
        assert_eq!(names.len(), ROUTES.len());
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 10, "{found:?}");
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn a_name_of_a_schema_means_one_thing() {
        let mut writer = Writer::new();
        for route in ROUTES {
            writer.operation(route);
        }
        let bodies = writer.bodies.take_definitions(true);
        for (name, schema) in writer.answers.take_definitions(true) {
            let other = bodies.get(&name).unwrap_or(&schema);
            assert_eq!(other, &schema, "{name} as a body and as an answer");
        }
    }
}
