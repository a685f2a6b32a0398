// Server-sent events, read from a stream (HTML Standard, 9.2.6): EventSource cannot send a token. Pure.

/** Gives each event to `dispatch({ id, kind, data })`; the result takes text as it comes. */
export function eventReader(dispatch) {
  let rest = "";
  let [id, kind, data] = [null, "", []];
  const line = (text) => {
    if (text === "") {
      if (data.length > 0) dispatch({ id, kind: kind || "message", data: data.join("\n") });
      [kind, data] = ["", []];
      return;
    }
    const colon = text.indexOf(":");
    const field = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(colon + 1).replace(/^ /, "");
    if (field === "id" && !value.includes("\0")) id = value;
    else if (field === "event") kind = value;
    else if (field === "data") data.push(value);
  };
  return (text) => {
    rest += text;
    let from = 0;
    for (;;) {
      const found = /\r\n|\n|\r/g;
      found.lastIndex = from;
      const end = found.exec(rest);
      // The other half of a CR LF may be still to come.
      if (!end || (end[0] === "\r" && end.index + 1 === rest.length)) break;
      line(rest.slice(from, end.index));
      from = end.index + end[0].length;
    }
    rest = rest.slice(from);
  };
}
