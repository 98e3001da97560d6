/** A part of the executable of its own: a process that asks another API, or only lists what there is, does not load it. */
export { createAmazonBedrock } from "@ai-sdk/amazon-bedrock";
