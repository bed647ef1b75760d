//! A name server for the names of this world: what a pod has instead of a hosts file.
//!
//! It answers questions for IPv4 addresses of the names it knows; any other type of a known name is
//! an empty answer, any other name does not exist (RFC 1035).

use std::net::Ipv4Addr;

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use crate::check::{Checked, While};

const HEADER: usize = 12;
const TYPE_A: [u8; 2] = [0, 1];
const NO_SUCH_NAME: u8 = 3;

/// Serves until the value is dropped.
pub(crate) struct NameServer(JoinHandle<()>);

impl NameServer {
    pub(crate) async fn start(address: &str, names: &[(&str, &str)]) -> Checked<Self> {
        let socket = UdpSocket::bind((address, 53)).await.during("starting the name server")?;
        let mut known = Vec::new();
        for (address, name) in names {
            known.push((encode(name), address.parse::<Ipv4Addr>()?));
        }
        Ok(Self(tokio::spawn(async move {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question).await {
                if let Some(answer) = answer(&question[..length], &known) {
                    // A lost answer is asked for again.
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        })))
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn answer(question: &[u8], known: &[(Vec<u8>, Ipv4Addr)]) -> Option<Vec<u8>> {
    let name_length = question.get(HEADER..)?.iter().position(|byte| *byte == 0)? + 1;
    let name = question.get(HEADER..HEADER + name_length)?;
    let end = HEADER + name_length + 4;
    let kind = question.get(end - 4..end - 2)?;
    let found = known.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));

    let mut answer = question.get(..end)?.to_vec();
    let addresses = u8::from(found.is_some() && kind == TYPE_A);
    // A response, recursion available; one question, no or one answer, nothing else.
    answer[2] = 0x80 | (question[2] & 1);
    answer[3] = 0x80 | if found.is_some() { 0 } else { NO_SUCH_NAME };
    answer[4..HEADER].copy_from_slice(&[0, 1, 0, addresses, 0, 0, 0, 0]);
    if let (Some((_, address)), 1) = (found, addresses) {
        // The name by reference to the question, type A, class IN, 60 s, four bytes.
        answer.extend([0xc0, HEADER as u8, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(address.octets());
    }
    Some(answer)
}

/// A name as encoded in a question: each label preceded by its length.
fn encode(name: &str) -> Vec<u8> {
    let mut encoded = Vec::new();
    for label in name.split('.') {
        encoded.push(label.len() as u8);
        encoded.extend(label.bytes());
    }
    encoded.push(0);
    encoded
}
