import type { ActionOf } from "./action.ts";

/** The rows of all grants that a call rests on; none where it rests on none. */
export function grantRowsOf({ authority, rests, restsAlso }: ActionOf<"tool.called">): number[] {
  if (authority !== "grant" || rests === null) return [];
  return [rests, ...(restsAlso ?? "").split(",").filter(Boolean).map(Number)];
}
