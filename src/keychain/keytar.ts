/** What is used of the addon: passwords are text, by service and account. */
export interface Keytar {
  getPassword(service: string, account: string): Promise<string | null>;
  setPassword(service: string, account: string, password: string): Promise<void>;
  deletePassword(service: string, account: string): Promise<boolean>;
}

/** Loads the addon, and with it the platform's own library. @returns why not, where that library is missing. */
export async function loadKeytar(): Promise<Keytar | Error> {
  try {
    const { default: keytar } = await import("keytar");
    return keytar;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
