"""Networks whose passes are leaner than diffusers' own: blocks, and what they compute in bfloat16 on a CPU."""
