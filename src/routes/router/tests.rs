use super::*;
use crate::protocol::StreamError;
use crate::wire::{ErrorCode, Payload};

fn echo(call: Call) -> Result<Payload, RouteError> {
    Ok(call.payload)
}

fn source(_: Call) -> SourceResult {
    Err(RouteError::Overload("none today".into()))
}

fn router() -> Router {
    Routes::new()
        .request_stream("room.{id}.messages", Access::Read, source)
        .request_response("room.{id}.send", Access::Write, echo)
        .request_stream("event.{id}.reactions", Access::Read, source)
        .fire_and_forget("event.{id}.react", Access::Write, |_| Ok(None), |_| ())
        .request_response("debug.echo", Access::Read, echo)
        .request_channel("debug.echo", Access::Read, source)
        .build()
        .unwrap()
}

fn message(route: &str) -> String {
    let error = StreamError::from(router().find(route).unwrap_err());
    assert_eq!(error.code, ErrorCode::INVALID);
    error.message.into_owned()
}

#[test]
fn a_route_is_found_with_its_parameter() {
    let router = router();
    for id in ["7", "Abc_-9", &"x".repeat(64)] {
        let (place, params) = router.find(&format!("room.{id}.send")).unwrap();
        assert_eq!(router.node(place).unwrap().pattern, "room.{id}.send");
        assert_eq!(params.find("id"), Some(id));
        assert_eq!(params.find("other"), None);
    }
    let (place, params) = router.find("debug.echo").unwrap();
    assert_eq!(router.node(place).unwrap().pattern, "debug.echo");
    assert_eq!(params, Params::default());
}

#[test]
fn a_parameter_outside_its_alphabet_or_length_is_named() {
    for id in ["a b", "ü", "a:b", &"x".repeat(65), "{id}"] {
        let text = message(&format!("room.{id}.send"));
        let start = "in room.{id}.send, {id} must be 1 to 64 of A-Z a-z 0-9 _ -, not '";
        assert!(text.starts_with(start), "{text}");
    }
}

#[test]
fn r_rte_6_an_unknown_route_gets_a_suggestion_when_one_is_close() {
    let cases = [
        ("rom.7.messages", "no route 'rom.7.messages'; did you mean room.{id}.messages?"),
        ("event.7.reaction", "no route 'event.7.reaction'; did you mean event.{id}.reactions?"),
        ("event.react", "no route 'event.react'; did you mean event.{id}.react?"),
        ("event/7/react", "no route 'event/7/react'; did you mean event.{id}.react?"),
        ("/debug/echo", "no route '/debug/echo'; did you mean debug.echo?"),
        ("Debug.Echo", "no route 'Debug.Echo'; did you mean debug.echo?"),
        ("room..send", "no route 'room..send'; did you mean room.{id}.send?"),
        ("warehouse.stock", "no route 'warehouse.stock'"),
        ("room.7.send.now.please", "no route 'room.7.send.now.please'"),
    ];
    for (route, text) in cases {
        assert_eq!(message(route), text);
    }
    let long = message(&"room.7.send".repeat(20));
    assert!(long.len() < 120 && !long.contains("did you mean"), "{long}");
}

#[test]
fn a_slash_is_not_a_dot() {
    assert!(router().find("debug/echo").is_err());
    assert!(router().find("room.7/8.send").is_err());
}

#[test]
fn a_wrong_interaction_names_the_right_ones() {
    let router = router();
    let (place, _) = router.find("debug.echo").unwrap();
    let error = router.node(place).unwrap().wrong(Interaction::FireAndForget);
    let text = "debug.echo takes request_response or request_channel, not fire_and_forget";
    assert_eq!(error.message(), text);
}

#[test]
fn conflicts_are_found_when_the_routes_are_built() {
    let twice = Routes::new().request_response("a.b", Access::Read, echo).request_response(
        "a.b",
        Access::Read,
        echo,
    );
    let conflict = RouteConflict::Twice("a.b", Interaction::RequestResponse);
    assert_eq!(twice.build().unwrap_err(), conflict);
    let ambiguous = Routes::new().request_response("a.{id}.b", Access::Read, echo).request_stream(
        "a.{name}.b",
        Access::Read,
        source,
    );
    let conflict = RouteConflict::Ambiguous("a.{name}.b", "a.{id}.b".into());
    assert_eq!(ambiguous.build().unwrap_err(), conflict);
}

#[test]
fn malformed_patterns_are_found_when_the_routes_are_built() {
    for pattern in ["", "a.", "a..b", "a/b", "A.b", "a.{}", "a.{id", "a.x{id}", "a.{id}.{id}"] {
        let routes = Routes::new().request_response(pattern, Access::Read, echo);
        assert_eq!(routes.build().unwrap_err(), RouteConflict::Malformed(pattern));
    }
}

#[test]
fn a_fixed_word_wins_over_a_parameter() {
    let router = Routes::new()
        .request_response("event.{id}.list", Access::Read, echo)
        .request_response("event.all.list", Access::Read, echo)
        .build()
        .unwrap();
    let (place, _) = router.find("event.all.list").unwrap();
    assert_eq!(router.node(place).unwrap().pattern, "event.all.list");
}

#[test]
fn every_route_is_listed_with_its_access() {
    let listed: Vec<_> = router().routes().collect();
    assert_eq!(listed.len(), 6);
    assert!(listed.contains(&("room.{id}.send", Interaction::RequestResponse, Access::Write)));
}
