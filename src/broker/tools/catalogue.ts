import type { ToolDescription } from "../../ipc/completion.ts";
import { editFile } from "./edit-file.ts";
import { exec } from "./exec.ts";
import { httpRequest } from "./http-request.ts";
import { PLAN } from "./plan.ts";
import { listFiles } from "./list-files.ts";
import { processTool } from "./process.ts";
import { readFile } from "./read-file.ts";
import { searchFiles } from "./search-files.ts";
import { schedule } from "./schedule.ts";
import { sendMessage } from "./send-message.ts";
import { memoryRead } from "./memory-read.ts";
import { memoryWrite } from "./memory-write.ts";
import { skill } from "./skill.ts";
import { spawnAgent } from "./spawn-agent.ts";
import type { Tool } from "./tool.ts";
import { webSearch } from "./web-search.ts";
import { writeFile } from "./write-file.ts";

const TOOLS: readonly Tool[] = [
  readFile,
  listFiles,
  searchFiles,
  writeFile,
  editFile,
  exec,
  processTool,
  httpRequest,
  webSearch,
  sendMessage,
  schedule,
  memoryRead,
  memoryWrite,
  spawnAgent,
  skill,
];

export function findTool(name: string): Tool | null {
  return TOOLS.find((tool) => tool.name === name) ?? null;
}

/** The tools as a model is shown them. */
export function toolDescriptions(): ToolDescription[] {
  return [...TOOLS.map(({ description }) => description), PLAN];
}
