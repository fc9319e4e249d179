package io.cusco.llama.cli.openai;

import io.cusco.llama.guard.LlamaGuard;

/// What a guard model watches over; used, not owned.
///
/// @param before whether prompts are checked, and what is unsafe never reaches the model
/// @param after whether answers are, and what is unsafe is not given out
public record Moderation(LlamaGuard guard, boolean before, boolean after) {}
