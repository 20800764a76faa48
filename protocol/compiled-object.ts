/**
 * An object whose check zod compiles when it first reads one, as its larger edition does with every object. For what is read
 * again and again, as all that peers say to each other is: it takes half the time.
 *
 * What is taken and what is refused is the same. Where a process may make no code from strings, zod reads as it does elsewhere.
 */

import * as z from "zod/mini";

const Plain: z.core.$constructor<z.ZodMiniObject> = z.ZodMiniObject;
const Compiling: z.core.$constructor<z.core.$ZodObject> = z.core.$ZodObjectJIT;

const CompiledObject = z.core.$constructor<z.ZodMiniObject>("CompiledObject", (instance, definition) => {
  Plain.init(instance, definition);
  Compiling.init(instance, definition);
});

/** As `z.object`: keys that it does not know are dropped. */
export function compiledObject<Shape extends z.core.$ZodLooseShape>(
  shape: Shape,
): ReturnType<typeof z.object<Shape>> {
  return new CompiledObject({ type: "object", shape }) as unknown as ReturnType<typeof z.object<Shape>>;
}
