/** What a request is refused with: Consul's errors are plain text. */
export class ConsulRefusal extends Error {
  override readonly name = "ConsulRefusal";
  readonly code = "consul_refusal";
  readonly status: number;

  constructor(status: number, text: string) {
    super(text);
    this.status = status;
  }
}
