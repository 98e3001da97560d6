import { confine } from "../confine/confine.ts";
import { takeLane } from "../tunnel/own-tunnel.ts";
import { ownServer } from "./own-server.ts";
import { runMcp } from "./process.ts";

// The words behind the role: which server, and how it is spoken to.
const [name = "mcp", way = ""] = process.argv.slice(-2);

if (way === "command") {
  const server = ownServer();
  confine("mcp");
  runMcp(server);
} else {
  takeLane(`mcp:${name}`);
  confine("mcp");
  runMcp(null);
}
