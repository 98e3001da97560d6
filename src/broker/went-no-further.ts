/** What a model is told where an action ran and what it leads to did not. */
export function wentNoFurther(result: string, refusal: string): string {
  return `${result}\nThat was not asked: ${refusal}`;
}
