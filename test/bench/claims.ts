import type { Row } from "./measure.ts";
export async function benchClaims(): Promise<Row[]> {
  return [];
}
