"use strict";
(function () {
  /* Values under the pointer. Each curve has its numbers, by commas, in data-. */
  const hint = document.createElement("div");
  hint.className = "hint";
  hint.hidden = true;
  document.body.append(hint);

  function numbers(text) {
    return text ? text.split(",").map(word => word === "" ? NaN : Number(word)) : [];
  }

  function read(curve) {
    const data = curve.dataset, step = numbers(data.step);
    const [left, right] = numbers(curve.ownerSVGElement.dataset.box);
    return {
      name: data.name, color: curve.classList[1], step, epoch: Number(data.epoch),
      place: numbers(data.place),
      x: data.at !== undefined ? numbers(data.at) :
        step.map(s => left + s / (Number(data.end) || 1) * (right - left)),
      value: numbers(data.value), spread: numbers(data.spread)
    };
  }

  function nearest(list, x) {
    let best = 0;
    for (let i = 1; i < list.length; i++)
      if (Math.abs(list[i] - x) < Math.abs(list[best] - x)) best = i;
    return best;
  }

  function shown(value, unit) {
    if (Number.isNaN(value)) return "–";
    if (unit === "percent") return (100 * value).toFixed(2) + " %";
    const size = Math.abs(value);
    return size >= 100 ? value.toFixed(1) : size >= 1e-3 || size === 0 ? value.toFixed(4)
      : value.toExponential(2);
  }

  function row(text, color) {
    const line = document.createElement("div");
    const name = document.createElement("b");
    name.className = color;
    name.textContent = text[0];
    line.append(name, " " + text[1]);
    return line;
  }

  function show(svg, curves, event) {
    const box = svg.getBoundingClientRect(), view = svg.viewBox.baseVal;
    const at = (event.clientX - box.left) * view.width / box.width;
    const near = curves.map(curve => nearest(curve.x, at));
    let first = 0;
    curves.forEach((curve, i) => {
      if (Math.abs(curve.x[near[i]] - at) < Math.abs(curves[first].x[near[first]] - at))
        first = i;
    });
    const x = curves[first].x[near[first]], step = curves[first].step[near[first]];
    const epoch = curves[first].epoch;
    hint.replaceChildren(row(curves[first].place.length > 0
      ? [svg.dataset.name, curves[first].place[near[first]]]
      : [epoch ? "epoch " + Number((step / epoch).toPrecision(4)) : "", "step " + step], ""));
    curves.forEach((curve, i) => {
      const spread = curve.spread[near[i]], unit = svg.dataset.unit;
      if (Math.abs(curve.x[near[i]] - x) > 4) return;
      hint.append(row([curve.name, shown(curve.value[near[i]], unit) +
        (!(spread >= 0) ? "" : " ± " + shown(spread, unit))], curve.color));
    });
    return x;
  }

  function place(event) {
    const left = event.pageX + 14, room = document.documentElement.clientWidth;
    hint.hidden = false;
    hint.style.top = event.pageY + 16 + "px";
    hint.style.left = Math.max(4, Math.min(left, room - hint.offsetWidth - 6)) + "px";
  }

  function watch(svg) {
    const curves = Array.from(svg.querySelectorAll(".curve"), read)
      .filter(curve => curve.x.length > 0);
    const [, , top, bottom] = numbers(svg.dataset.box);
    if (curves.length === 0) return;
    const cursor = document.createElementNS("http://www.w3.org/2000/svg", "path");
    cursor.setAttribute("class", "cursor");
    svg.append(cursor);
    function move(event) {
      const x = show(svg, curves, event);
      cursor.setAttribute("d", "M" + x + " " + top + "V" + bottom);
      place(event);
    }
    svg.addEventListener("pointermove", move);
    svg.addEventListener("pointerdown", move);
    svg.addEventListener("pointerleave", () => {
      cursor.removeAttribute("d");
      hint.hidden = true;
    });
  }

  /* Copying what is to be typed. */
  function copy(block) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "copy";
    button.addEventListener("click", () => {
      getSelection().selectAllChildren(block.querySelector("pre"));
      button.textContent = document.execCommand("copy") ? "copied" : "selected";
      setTimeout(() => { button.textContent = "copy"; }, 1500);
    });
    block.append(button);
  }

  document.querySelectorAll(".plot").forEach(watch);
  document.querySelectorAll(".copy").forEach(copy);
})();
