/** Forms of secrets as a tree of bytes, which the automaton of `masker.ts` is made of. */

/** Nodes are numbers; the root is 0. */
export class ByteTrie {
  readonly #byte: Uint8Array;
  readonly #child: Int32Array;
  readonly #sibling: Int32Array;
  readonly #length: Int32Array;
  #count = 1;

  constructor(forms: readonly Uint8Array[]) {
    const most = 1 + forms.reduce((sum, { length }) => sum + length, 0);
    this.#byte = new Uint8Array(most);
    this.#child = new Int32Array(most);
    this.#sibling = new Int32Array(most);
    this.#length = new Int32Array(most);
    for (const form of forms) {
      let node = 0;
      for (const byte of form) node = this.#childFor(node, byte);
      this.#length[node] = form.length;
    }
  }

  #childFor(node: number, byte: number): number {
    let child = this.#child[node] ?? 0;
    while (child !== 0 && this.#byte[child] !== byte) child = this.#sibling[child] ?? 0;
    if (child !== 0) return child;
    const made = this.#count;
    this.#count += 1;
    this.#byte[made] = byte;
    this.#sibling[made] = this.#child[node] ?? 0;
    this.#child[node] = made;
    return made;
  }

  /** 0: it has none. */
  firstChild(node: number): number {
    return this.#child[node] ?? 0;
  }

  /** The next child of the same parent; 0: there is none. */
  sibling(node: number): number {
    return this.#sibling[node] ?? 0;
  }

  byteOf(node: number): number {
    return this.#byte[node] ?? 0;
  }

  /** Length of the form that ends at the node, or 0. */
  lengthAt(node: number): number {
    return this.#length[node] ?? 0;
  }

  /** Shorter beginnings before longer ones. */
  byDepth(): Int32Array {
    const nodes = new Int32Array(this.#count);
    let known = 1;
    for (let at = 0; at < known; at += 1)
      for (let child = this.firstChild(nodes[at] ?? 0); child !== 0; child = this.sibling(child)) {
        nodes[known] = child;
        known += 1;
      }
    return nodes;
  }

  /** First those that get a row: the root, what begins with one byte, and where ways part. */
  ordered(byDepth: Int32Array): { readonly order: Int32Array; readonly rowed: number } {
    const isRowed = new Uint8Array(this.#count);
    isRowed[0] = 1;
    for (let child = this.firstChild(0); child !== 0; child = this.sibling(child)) isRowed[child] = 1;
    for (let node = 0; node < this.#count; node += 1) {
      const child = this.firstChild(node);
      if (child !== 0 && this.sibling(child) !== 0) isRowed[node] = 1;
    }
    const rowed = byDepth.filter((node) => isRowed[node] === 1);
    const order = new Int32Array(this.#count);
    order.set(rowed);
    order.set(
      byDepth.filter((node) => isRowed[node] === 0),
      rowed.length,
    );
    return { order, rowed: rowed.length };
  }
}
