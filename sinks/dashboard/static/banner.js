import { reachable } from "./api.js";
import { h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { tell } from "./notice.js";

/**
 * Tells that the server is gone, or that there are no live pictures, as long as it is so.
 * @param {import("./live_pictures.js").LivePictures} [pictures]
 * @returns {{element: HTMLElement, close: () => void}}
 */
export function connectionBanner(pictures) {
  const element = h("div", { class: "banner-place", role: "alert", testid: "connection" });
  let lost = false;
  const show = () => {
    const text = reachable.value
      ? (pictures?.problem.value ?? "")
      : "The server does not answer. What you see may be old; trying again.";
    replace(element, text && h("p", { class: "banner" }, icon("stalled"), text));
    if (lost && reachable.value) tell("The server answers again.");
    lost = !reachable.value;
  };
  const ends = [reachable.watch(show), pictures?.problem.watch(show)];
  return { element, close: () => ends.forEach((end) => end?.()) };
}
