import { ApiError, logIn } from "./api.js";
import { h, newId, setText } from "./dom.js";

/**
 * Ask for the password; the session tells of success.
 * @returns {HTMLElement}
 */
export function loginView() {
  const fault = h("p", { class: "form-error", role: "alert", testid: "login-error" });
  const password = h("input", {
    type: "password",
    id: newId(),
    testid: "password",
    name: "password",
    autocomplete: "current-password",
    required: true,
  });
  const user = h("input", {
    type: "text",
    name: "username",
    autocomplete: "username",
    value: "watchline", // there are no users, but managers of passwords want one
    hidden: true,
  });
  const button = h("button", { class: "primary", type: "submit" }, "Log in");
  const form = h(
    "form",
    { class: "login", testid: "login" },
    h("img", { src: "/static/icon.svg", alt: "", width: 48, height: 48 }),
    h("h1", { tabindex: -1 }, "Watchline"),
    h("label", { for: password.id }, "Password"),
    user,
    password,
    fault,
    button,
  );
  form.addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    button.disabled = true;
    setText(fault, "");
    try {
      await logIn(password.value);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setText(fault, error.message);
      password.select();
    } finally {
      button.disabled = false;
    }
  });
  return form;
}
