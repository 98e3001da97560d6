/** What commands see of this machine, read-only. */

/** Programs and libraries. Where the distribution has them as links into /usr they are links inside as well. */
export const PROGRAMS = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
/** What programs need to start: the linker's cache, which program `awk` is, the time zone. Nothing about this machine's people or network. */
export const SETTINGS = [
  "/etc/alternatives",
  "/etc/ld.so.cache",
  "/etc/ld.so.conf",
  "/etc/ld.so.conf.d",
  "/etc/localtime",
];

/** Certificates of public authorities, where the distributions keep them: a command that reaches nothing needs none. */
export const AUTHORITIES = ["/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ca-certificates", "/etc/pki"];
