//! RingCentral's commands: an INFO that asks in JSON, and a second INFO, the other way, that answers.
//!
//! As its web phone's SDK does: `{"request":{"reqid":1,"command":"callpark"}}` is answered with an
//! empty 200; then the server sends `{"response":{"reqid":1,"command":"callpark","result":{…}}}` in
//! the same dialog, and on code 0 the phone hangs up. The phone finds its answer by `reqid` and
//! `command`. To retrieve, it dials `*` and the number it was told.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::asks::bad::BadAsk;
use crate::notices::Body;

const COMMAND: &str = "callpark";

/// A command to park, whose answer is owed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkCommand {
    /// The request's number, as JSON: it goes back as it came.
    reqid: String,
}

impl ParkCommand {
    /// The park command in a JSON body; none if it is anything else, such as `callflip`.
    ///
    /// # Errors
    /// 400 if it commands to park, but has no `reqid` by which the answer would be known.
    pub(crate) fn read(json: &Value) -> Result<Option<ParkCommand>, BadAsk> {
        let request = json.get("request");
        let command = request.and_then(|request| request.get("command")).and_then(Value::as_str);
        if command != Some(COMMAND) {
            return Ok(None);
        }
        match request.and_then(|request| request.get("reqid")) {
            Some(reqid @ (Value::Number(_) | Value::String(_))) => {
                Ok(Some(ParkCommand { reqid: reqid.to_string() }))
            }
            _ => Err(BadAsk::request("No Reqid")),
        }
    }

    /// The body of the INFO that says: parked, and with which number it is retrieved.
    pub fn parked(&self, number: &str) -> Body {
        let number = Value::from(number);
        self.answer(&format!(r#"{{"code":0,"description":"Succeeded","park extension":{number}}}"#))
    }

    /// The body of the INFO that says: not parked. The phone only asks whether `code` is 0; that
    /// a SIP status may stand there is assumed. A `code` of 0 is sent as 500.
    pub fn refused(&self, code: u16, why: &str) -> Body {
        let code = if code == 0 { 500 } else { code };
        let why = Value::from(why);
        self.answer(&format!(r#"{{"code":{code},"description":{why}}}"#))
    }

    fn answer(&self, result: &str) -> Body {
        let reqid = &self.reqid;
        let text = format!(
            r#"{{"response":{{"reqid":{reqid},"command":"{COMMAND}","result":{result}}}}}"#
        );
        Body { content_type: "application/json".into(), bytes: Bytes::from(text) }
    }
}
