/** For tests of commands: the error that a piece of work ends with. */

import { OttoError } from "../../protocol/errors.ts";

export async function errorOf(work: Promise<unknown>): Promise<OttoError> {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof OttoError) return error;
  throw new Error("expected an OttoError", { cause: error });
}
