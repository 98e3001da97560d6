import { createSocket } from "node:dgram";

const A = 1;
const NXDOMAIN = 3;

/** A resolver on 127.0.0.1:53 of a network of one's own, which changes its answers.
 *  @param names what each leads to, question by question; the last answer stays. Null: no answer at all. What is not named does not exist. */
export async function changingResolver(names: Readonly<Record<string, (string | null)[]>>): Promise<AsyncDisposable> {
  const dns = createSocket("udp4");
  dns.on("message", (question, from) => {
    const answer = answerTo(question, names);
    if (answer !== null) dns.send(answer, from.port, from.address);
  });
  await new Promise<void>((resolve) => dns.bind(53, "127.0.0.1", resolve));
  return {
    [Symbol.asyncDispose]: async () => {
      await new Promise<void>((resolve) => dns.close(() => resolve()));
    },
  };
}

function answerTo(question: Buffer, names: Readonly<Record<string, (string | null)[]>>): Buffer | null {
  let at = 12;
  const labels: string[] = [];
  for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
    labels.push(question.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  const type = question.readUInt16BE(at + 1);
  const end = at + 5;
  const answers = names[labels.join(".").toLowerCase()];
  const [address] = type === A && answers !== undefined ? (answers.length > 1 ? answers.splice(0, 1) : answers) : [];
  if (answers?.[0] === null) return null;
  const header = Buffer.from(question.subarray(0, 12));
  header.writeUInt16BE(0x8180 | (answers === undefined ? NXDOMAIN : 0), 2);
  header.writeUInt16BE(address === undefined || address === null ? 0 : 1, 6);
  header.fill(0, 8, 12);
  const parts = [header, question.subarray(12, end)];
  // A pointer to the question's name, its type and class, no time to live, four bytes.
  if (address !== undefined && address !== null)
    parts.push(Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split(".").map(Number)]));
  return Buffer.concat(parts);
}
