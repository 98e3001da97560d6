/** A form with files as HTTP carries it. */

export interface FormPart {
  readonly name: string;
  readonly fileName: string | null;
  readonly bytes: Buffer;
}

/** @throws {Error} if it is no such form. */
export function readMultipart(contentType: string, body: Buffer): FormPart[] {
  const boundary = /^multipart\/form-data; ?boundary="?([^";]{1,512})"?$/.exec(contentType)?.[1];
  if (boundary === undefined) throw new Error(`${contentType} is no multipart form`);
  const mark = Buffer.from(`\r\n--${boundary}`);
  const whole = Buffer.concat([Buffer.from("\r\n"), body]);
  const parts: FormPart[] = [];
  let at = whole.indexOf(mark);
  for (;;) {
    if (at === -1) throw new Error("the form does not end");
    const begin = at + mark.length;
    if (whole.subarray(begin, begin + 2).toString() === "--") return parts;
    const end = whole.indexOf(mark, begin);
    const head = whole.indexOf("\r\n\r\n", begin);
    if (end === -1 || head === -1 || head > end) throw new Error("a part of the form has no end");
    parts.push(partOf(whole.subarray(begin, head).toString("utf8"), whole.subarray(head + 4, end)));
    at = end;
  }
}

function partOf(headers: string, bytes: Buffer): FormPart {
  const disposition = /^content-disposition: ?form-data; ?(.*)$/im.exec(headers)?.[1] ?? "";
  const given = new Map<string, string>();
  for (const [, key = "", quoted, plain] of disposition.matchAll(/([a-z]+)=(?:"([^"]*)"|([^;]*))(?:; ?|$)/g)) {
    if (given.has(key)) throw new Error(`a part of the form says ${key} twice`);
    given.set(key, quoted ?? plain ?? "");
  }
  const name = given.get("name");
  if (name === undefined) throw new Error("a part of the form has no name");
  return { name, fileName: given.get("filename") ?? null, bytes };
}
