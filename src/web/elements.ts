type Child = Node | string | number;

/** A new element with properties and children. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]>,
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children.map((child) => (child instanceof Node ? child : `${child}`)));
  return made;
}

/** The element of the page with that id. */
export function byId<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  id: string,
): HTMLElementTagNameMap[K] {
  const found = document.getElementById(id);
  if (found?.localName !== tag) throw new Error(`index.html has no ${tag} with the id ${id}`);
  return found as HTMLElementTagNameMap[K];
}

/** A little square of a colour. */
export function chip(colour: string): HTMLElement {
  const square = element('span', { className: 'chip', ariaHidden: 'true' });
  square.style.background = colour;
  return square;
}

/** A table row: a row header, then cells, of which the first `texts` are to the left. */
export function row(header: readonly Child[], cells: readonly Child[], texts = 0): HTMLElement {
  return element(
    'tr',
    {},
    element('th', { scope: 'row' }, ...header),
    ...cells.map((cell, index) => element('td', { className: index < texts ? 'text' : '' }, cell)),
  );
}

/** What a column group is headed, and its columns. */
export type Columns = readonly (readonly [group: string, columns: readonly string[]])[];

/** The head of a table: groups that have a name above their columns; the first `texts` are to the left. */
export function tableHead(groups: Columns, texts: number): HTMLElement {
  const columns = groups.flatMap(([, names]) => names);
  return element(
    'thead',
    {},
    element(
      'tr',
      {},
      ...groups.map(([group, names]) =>
        group === ''
          ? element('td', { colSpan: names.length })
          : element('th', { scope: 'colgroup', colSpan: names.length }, group),
      ),
    ),
    element(
      'tr',
      {},
      ...columns.map((name, index) =>
        element('th', { scope: 'col', className: index < texts ? 'text' : '' }, name),
      ),
    ),
  );
}
