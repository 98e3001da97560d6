import * as fc from "fast-check";

/** Properties are tried with the same cases in each run of `npm test`: what it finds does not depend on the hour. The long rounds draw new ones. */

if (process.env["WIRKEN_TEST_ROUNDS"] !== "long") fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: 0x77_69_72 });
