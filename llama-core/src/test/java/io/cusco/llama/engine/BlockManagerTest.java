package io.cusco.llama.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.model.KvCacheSpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BlockManagerTest {
  private static final int ROUNDS = 400;
  private static final int OPERATIONS = 200;

  @Test
  void aSequenceTakesOverFullBlocksAndComputesItsLastTokenItself() {
    BlockManager blocks = new BlockManager(new KvCacheSpec(4, 8), true);
    CachedTokens first = computed(blocks, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    assertThat(blocks.numUsed()).isEqualTo(3);

    CachedTokens longer = new CachedTokens(new int[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
    assertThat(blocks.admit(longer)).isTrue();
    assertThat(longer.numComputed()).isEqualTo(8);
    assertThat(table(longer)).containsExactly(first.block(0), first.block(1), 3);

    CachedTokens exact = new CachedTokens(new int[] {1, 2, 3, 4, 5, 6, 7, 8});
    assertThat(blocks.admit(exact)).isTrue();
    assertThat(exact.numComputed()).isEqualTo(4);
    assertThat(exact.block(0)).isEqualTo(first.block(0));
    assertThat(exact.block(1)).isEqualTo(4);
    // What it computes again is there already, so its own block is not needed.
    exact.advance(4);
    blocks.confirm(exact);
    assertThat(table(exact)).containsExactly(first.block(0), first.block(1));

    assertThat(blocks.numUsed()).isEqualTo(4);
    blocks.release(first);
    blocks.release(longer);
    assertThat(blocks.numUsed()).isEqualTo(2);
    blocks.release(exact);
    assertThat(blocks.numUsed()).isZero();
    assertThat(blocks.numCached()).isEqualTo(2);
  }

  @Test
  void equalTokensAfterOthersAreNotFound() {
    BlockManager blocks = new BlockManager(new KvCacheSpec(2, 8), true);
    computed(blocks, 1, 2, 7, 8, 9);
    CachedTokens other = new CachedTokens(new int[] {3, 4, 7, 8, 9});
    assertThat(blocks.admit(other)).isTrue();
    assertThat(other.numComputed()).isZero();
  }

  @Test
  void theLeastRecentlyUsedBlockIsReusedFirstAndTheBeginningOfATextLast() {
    BlockManager blocks = new BlockManager(new KvCacheSpec(1, 6), true);
    blocks.release(computed(blocks, 1, 2, 3));
    blocks.release(computed(blocks, 4, 5, 6));
    assertThat(blocks.numCached()).isEqualTo(6);
    // Takes two of the first text's blocks over, and one that is reused for its end.
    blocks.release(computed(blocks, 1, 2, 9));
    CachedTokens filler = new CachedTokens(new int[] {7, 7, 7});
    assertThat(blocks.admit(filler)).isTrue();
    assertThat(blocks.numCached()).isEqualTo(3);
    blocks.release(filler);
    assertThat(found(blocks, 1, 2, 9, 0)).isEqualTo(3);
    assertThat(found(blocks, 1, 2, 3, 0)).isEqualTo(2);
    assertThat(found(blocks, 4, 0)).isZero();
  }

  @Test
  void whatAFailedStepWouldHaveFilledIsNotFound() {
    BlockManager blocks = new BlockManager(new KvCacheSpec(2, 8), true);
    CachedTokens failing = new CachedTokens(new int[] {1, 2, 3, 4, 5});
    assertThat(blocks.admit(failing)).isTrue();
    blocks.offer(failing, 5);
    assertThat(found(blocks, 1, 2, 3, 4, 5)).isEqualTo(4);
    blocks.revoke();
    blocks.release(failing);
    assertThat(found(blocks, 1, 2, 3, 4, 5)).isZero();
    assertThat(blocks.numCached()).isZero();
  }

  @Test
  void withoutSharingNothingOutlivesItsSequence() {
    BlockManager blocks = new BlockManager(new KvCacheSpec(2, 8), false);
    CachedTokens first = computed(blocks, 1, 2, 3, 4, 5);
    assertThat(found(blocks, 1, 2, 3, 4, 5)).isZero();
    blocks.release(first);
    assertThat(blocks.numCached()).isZero();
    assertThat(found(blocks, 1, 2, 3, 4, 5)).isZero();
  }

  @Test
  void aBlockIsNotForgottenBeforeThoseThatFollowIt() {
    PrefixCache prefixes = new PrefixCache(new KvCacheSpec(1, 2));
    CachedTokens tokens = new CachedTokens(new int[] {5, 6});
    prefixes.insert(0, PrefixCache.ROOT, tokens, 0);
    prefixes.insert(1, 0, tokens, 1);
    assertThatThrownBy(() -> prefixes.remove(0)).isInstanceOf(IllegalStateException.class);
    prefixes.remove(1);
    prefixes.remove(0);
    assertThat(prefixes.find(PrefixCache.ROOT, tokens, 0)).isEqualTo(PrefixCache.NONE);
  }

  @Test
  void randomUseSharesWhatIsEqualAndNothingElse() {
    System.out.printf("block manager: seeds 1 .. %d%n", ROUNDS);
    for (long seed = 1; seed <= ROUNDS; seed++) {
      new RandomUse(seed, new Random(seed)).run();
    }
  }

  /// Sequences come, are computed in chunks, and go; beside it stands what each block holds.
  private static final class RandomUse {
    private final String name;
    private final Random random;
    private final KvCacheSpec cache;
    private final BlockManager blocks;
    private final boolean evicts;
    private final List<CachedTokens> live = new ArrayList<>();

    /// For each block the text up to its end, as the model would have written it.
    private final Map<Integer, List<Integer>> contents = new HashMap<>();

    /// All texts of full blocks that were ever computed.
    private final Set<List<Integer>> computed = new HashSet<>();

    RandomUse(long seed, Random random) {
      this.random = random;
      this.evicts = random.nextBoolean();
      this.cache = new KvCacheSpec(1 + random.nextInt(4), evicts ? 4 + random.nextInt(30) : 10_000);
      // Few bits of hash, so that everything collides: the answers must be the same.
      long hashMask = random.nextBoolean() ? -1 : random.nextInt(4);
      this.blocks = new BlockManager(cache, true, new PrefixCache(cache, hashMask));
      this.name = "seed %d, %s, hash mask %d".formatted(seed, cache, hashMask);
    }

    void run() {
      for (int i = 0; i < OPERATIONS; i++) {
        switch (random.nextInt(4)) {
          case 0 -> admit();
          case 1, 2 -> compute();
          default -> release();
        }
        checkReferences();
      }
      while (!live.isEmpty()) {
        release();
      }
      assertThat(blocks.numUsed()).as(name).isZero();
      CachedTokens all =
          new CachedTokens(new int[Math.toIntExact(Math.min(cache.capacityTokens(), 50))]);
      assertThat(blocks.reserve(all, all.size())).as(name).isTrue();
    }

    private void admit() {
      int[] ids = random.ints(1 + random.nextInt(20), 0, 2).toArray();
      CachedTokens tokens = new CachedTokens(ids);
      if (!blocks.admit(tokens)) {
        assertThat(tokens.numBlocks()).as(name).isZero();
        return;
      }
      live.add(tokens);
      assertThat(tokens.numBlocks()).isEqualTo(cache.blocksFor(ids.length));
      assertThat(tokens.numComputed()).isLessThan(ids.length);
      int best = 0;
      for (int i = 0; i < (ids.length - 1) / cache.blockSize(); i++) {
        best += computed.contains(textUpTo(tokens, i)) ? cache.blockSize() : 0;
      }
      assertThat(tokens.numComputed()).as(name).isBetween(evicts ? 0 : best, best);
      for (int i = 0; i < tokens.numComputed() / cache.blockSize(); i++) {
        assertThat(contents.get(tokens.block(i))).as(name).isEqualTo(textUpTo(tokens, i));
      }
    }

    /// One step for one sequence; the first in which it is full draws a token after that.
    private void compute() {
      if (live.isEmpty()) {
        return;
      }
      CachedTokens tokens = live.get(random.nextInt(live.size()));
      int count = 1 + random.nextInt(tokens.numRemaining());
      int end = tokens.numComputed() + count;
      if (!blocks.reserve(tokens, end)) {
        return;
      }
      blocks.offer(tokens, end);
      if (random.nextInt(10) == 0) {
        blocks.revoke();
        live.remove(tokens);
        blocks.release(tokens);
        return;
      }
      for (int i = tokens.numComputed() / cache.blockSize(); i < cache.blocksFor(end); i++) {
        contents.put(tokens.block(i), textUpTo(tokens, i));
      }
      tokens.advance(count);
      blocks.confirm(tokens);
      for (int i = 0; i < tokens.numComputed() / cache.blockSize(); i++) {
        computed.add(textUpTo(tokens, i));
        assertThat(contents.get(tokens.block(i))).as(name).isEqualTo(textUpTo(tokens, i));
      }
      if (tokens.numRemaining() == 0) {
        tokens.append(random.nextInt(2));
      }
    }

    private void release() {
      if (!live.isEmpty()) {
        blocks.release(live.remove(random.nextInt(live.size())));
      }
    }

    private void checkReferences() {
      Set<Integer> held = new HashSet<>();
      for (CachedTokens tokens : live) {
        for (int i = 0; i < tokens.numBlocks(); i++) {
          boolean isNew = held.add(tokens.block(i));
          // What is not full yet belongs to one sequence alone.
          assertThat(isNew || i < tokens.numShared()).as(name).isTrue();
        }
      }
      assertThat(blocks.numUsed()).as(name).isEqualTo(held.size());
      assertThat(blocks.numCached()).isBetween(0, cache.numBlocks() - held.size());
    }

    private List<Integer> textUpTo(CachedTokens tokens, int block) {
      int end = Math.min(tokens.size(), (block + 1) * cache.blockSize());
      return Arrays.stream(tokens.ids(0, end)).boxed().toList();
    }
  }

  /// A sequence of which everything is computed in one step.
  private static CachedTokens computed(BlockManager blocks, int... ids) {
    CachedTokens tokens = new CachedTokens(ids);
    assertThat(blocks.admit(tokens)).isTrue();
    tokens.advance(tokens.numRemaining());
    blocks.confirm(tokens);
    return tokens;
  }

  /// How many of the first tokens are found.
  private static int found(BlockManager blocks, int... ids) {
    CachedTokens tokens = new CachedTokens(ids);
    assertThat(blocks.admit(tokens)).isTrue();
    int found = tokens.numComputed();
    blocks.release(tokens);
    return found;
  }

  private static int[] table(CachedTokens tokens) {
    return IntStream.range(0, tokens.numBlocks()).map(tokens::block).toArray();
  }
}
