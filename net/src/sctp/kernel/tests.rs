//! Under a kernel that has SCTP: `.ci/uml-run` boots one.

use super::*;

type Inputs = mpsc::UnboundedReceiver<StreamInput>;

struct End {
    outputs: mpsc::UnboundedSender<StreamOutput>,
    inputs: Inputs,
    task: JoinHandle<()>,
}

fn end(listener: Option<Listener>) -> End {
    let (deliver, inputs) = mpsc::unbounded_channel();
    let (outputs, asked) = mpsc::unbounded_channel();
    let deliver: Deliver = Arc::new(move |input| drop(deliver.send(input)));
    let local = Some(IpAddr::from([127, 0, 0, 1]));
    let task = tokio::spawn(run(listener, local, asked, deliver, Arc::new(|_| {})));
    End {
        outputs,
        inputs,
        task,
    }
}

/// A message of `length` octets that says so.
fn message(length: u32) -> Vec<u8> {
    let mut message = vec![7; usize::try_from(length).unwrap()];
    message[..4].copy_from_slice(&length.to_be_bytes());
    message[0] = 1;
    message
}

async fn pair() -> (End, End, ConnId, ConnId) {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let peer = listener.local().unwrap();
    let (mut server, mut client) = (end(Some(listener)), end(None));
    let conn = ConnId::initiated(1);
    client
        .outputs
        .send(StreamOutput::Connect { conn, peer })
        .unwrap();
    assert_eq!(
        client.inputs.recv().await,
        Some(StreamInput::Connected { conn })
    );
    let Some(StreamInput::Accepted { conn: accepted, .. }) = server.inputs.recv().await else {
        panic!("not accepted");
    };
    (server, client, accepted, conn)
}

#[tokio::test]
#[ignore = "needs a kernel with SCTP"]
async fn kernel_messages_of_any_length_arrive_whole_and_in_order() {
    probe().unwrap();
    let (mut server, mut client, accepted, conn) = pair().await;
    let lengths = [20, 4_096, 4_100, 60_000, 24, 65_536];
    for length in lengths {
        let octets = message(length);
        client
            .outputs
            .send(StreamOutput::Send { conn, octets })
            .unwrap();
    }
    for length in lengths {
        let (conn, octets) = (accepted, message(length));
        assert_eq!(
            server.inputs.recv().await,
            Some(StreamInput::Data {
                conn,
                octets: octets.clone()
            })
        );
        server
            .outputs
            .send(StreamOutput::Send { conn, octets })
            .unwrap();
    }
    server
        .outputs
        .send(StreamOutput::Close { conn: accepted })
        .unwrap();
    for length in lengths {
        let octets = message(length);
        assert_eq!(
            client.inputs.recv().await,
            Some(StreamInput::Data { conn, octets })
        );
    }
    assert_eq!(
        client.inputs.recv().await,
        Some(StreamInput::Closed { conn })
    );
    drop(server.outputs);
    server.task.await.unwrap();
}

#[tokio::test]
#[ignore = "needs a kernel with SCTP"]
async fn kernel_ends_what_is_no_diameter_message() {
    let (mut server, mut client, accepted, conn) = pair().await;
    let mut octets = message(24);
    octets.pop();
    client
        .outputs
        .send(StreamOutput::Send { conn, octets })
        .unwrap();
    let closed = StreamInput::Closed { conn: accepted };
    assert_eq!(server.inputs.recv().await, Some(closed));
    assert_eq!(
        client.inputs.recv().await,
        Some(StreamInput::Closed { conn })
    );
}

#[tokio::test]
#[ignore = "needs a kernel with SCTP"]
async fn kernel_says_when_nobody_listens() {
    let mut client = end(None);
    let conn = ConnId::initiated(1);
    let peer = ([127, 0, 0, 1], 3).into();
    client
        .outputs
        .send(StreamOutput::Connect { conn, peer })
        .unwrap();
    assert_eq!(
        client.inputs.recv().await,
        Some(StreamInput::Closed { conn })
    );
}
