/** Why a path of the workspace cannot be used; the sentence is for the person and for the model. */
export class WorkspaceError extends Error {
  override readonly name = "WorkspaceError";
  readonly code:
    | "PATH_BAD"
    | "PATH_OUTSIDE"
    | "PATH_MISSING"
    | "PATH_FORBIDDEN"
    | "NOT_A_FILE"
    | "NOT_A_DIRECTORY"
    | "FILE_TOO_LARGE"
    | "FILE_CHANGED"
    | "FILE_EXISTS"
    | "FOLDER_GONE"
    | "WORKSPACE_UNUSABLE";
  constructor(code: WorkspaceError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
