import { lineOf } from "./api.js";
import { editCamera } from "./camera_dialog.js";
import { confirmDialog } from "./dialog.js";
import { h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { tell } from "./notice.js";

/** @typedef {import("./types.js").Camera} Camera */
/** @typedef {import("./types.js").Context} Context */

const CAN_RESUME = new Set(["paused", "ended", "failed"]);

/**
 * What can be done with a camera, as buttons.
 * @param {Context} context
 * @param {string} id
 * @param {boolean} worded with words, or with icons alone
 * @returns {{element: HTMLElement, update: (camera: Camera) => void}}
 */
export function cameraActions(context, id, worded) {
  const button = (
    /** @type {import("./icons.js").IconName} */ sign,
    /** @type {string} */ text,
    /** @type {string} */ testid,
    /** @type {() => void} */ click,
  ) => labelled(h("button", { type: "button", testid, on: { click } }), sign, text, id, worded);

  const act = async (/** @type {"pause" | "resume" | "restart"} */ action) => {
    try {
      await context.cameras.act(id, action);
    } catch (error) {
      tell(lineOf(error) ?? "", "failed");
    }
  };
  const rules = labelled(
    h("a", { class: "button", href: `#/live/${encodeURIComponent(id)}/rules` }),
    "rules",
    "Zones and lines",
    id,
    worded,
  );
  rules.setAttribute("data-testid", "edit-rules");
  const edit = button("edit", "Settings", "edit-camera", () => {
    const camera = context.cameras.find(id);
    if (camera) editCamera(context, camera);
  });
  const pause = button("pause", "Pause", "pause-camera", () => {
    act(pause.dataset.action === "resume" ? "resume" : "pause");
  });
  const restart = button("restart", "Restart", "restart-camera", () => act("restart"));
  const remove = button("remove", "Remove", "remove-camera", () => confirmRemoval(context, id));

  return {
    element: h("div", { class: "actions", data: { worded } }, rules, pause, restart, edit, remove),
    update(camera) {
      const resumes = CAN_RESUME.has(camera.state);
      const action = resumes ? "resume" : "pause";
      if (pause.dataset.action !== action) {
        pause.dataset.action = action;
        labelled(pause, resumes ? "play" : "pause", resumes ? "Resume" : "Pause", id, worded);
      }
      pause.hidden = !camera.live && !resumes; // a file cannot be paused
      restart.hidden = !camera.live || resumes;
    },
  };
}

/**
 * @template {HTMLElement} E
 * @param {E} element
 * @param {import("./icons.js").IconName} sign
 * @param {string} text
 * @param {string} id
 * @param {boolean} worded
 * @returns {E}
 */
function labelled(element, sign, text, id, worded) {
  replace(element, icon(sign), worded && text);
  element.classList.toggle("icon-button", !worded);
  element.setAttribute("aria-label", `${text}: ${id}`);
  element.title = text;
  return element;
}

/**
 * @param {Context} context
 * @param {string} id
 */
function confirmRemoval(context, id) {
  confirmDialog(
    `Remove ${id}?`,
    "It is watched no more, and its settings are gone. Its events and recordings stay.",
    "Remove",
    async () => {
      await context.cameras.remove(id);
      tell(`${id} was removed.`);
    },
  );
}
