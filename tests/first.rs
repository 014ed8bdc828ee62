//! First light.
use heiiki::Lab;

#[test]
fn attach_and_page() {
    let mut lab = Lab::builder()
        .tenant("acme", "10.20.0.0/16")
        .sim("pc-1", "acme")
        .build()
        .unwrap();
    let s = lab.attach("pc-1");
    if s.is_err() || std::env::var_os("SHOW").is_some() {
        for e in lab.log() {
            eprintln!("{}", serde_json::to_string(e).unwrap());
        }
    }
    let s = s.unwrap();
    eprintln!("{s:?}");
    let page = lab.get("pc-1", "http://intranet/");
    eprintln!("{page:?}");
    assert_eq!(page.unwrap().status, 200);
    let cut = lab.suspend("pc-1", "lost on the train");
    if cut.is_err() {
        for e in lab.log() {
            eprintln!("{}", serde_json::to_string(e).unwrap());
        }
    }
    let cut = cut.unwrap();
    eprintln!("{cut:#?}");
    assert!(cut.dark);
    assert!(lab.get("pc-1", "http://intranet/").is_err());
    let refused = lab.attach("pc-1").unwrap_err();
    eprintln!("{refused}");
    assert_eq!(refused.cause(), "#8");
}
