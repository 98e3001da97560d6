import { BUILD, COMMIT, VERSION } from "../ipc/build.ts";

/** What `wirken --version` prints. */
export function versionText(): string {
  return `wirken ${VERSION} (build ${BUILD}, commit ${COMMIT})`;
}
