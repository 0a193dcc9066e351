/** A template that cannot be parsed, or failed while it ran; the message says where. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";
  readonly code = "template";
}
