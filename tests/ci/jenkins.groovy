// Runs the Jenkinsfile of a project for one branch: first every section and step of every stage is
// checked, then the stages run, `sh` for real, each agent in a fresh checkout of its own.
//
// groovy jenkins.groovy < build.json > run.json. The build: {project, scratch, branch, change, params,
// credentials: {id: value}, approve}. What Jenkins has and this has not is an error, never ignored.
// With {plan: [files]} nothing runs: for each Jenkinsfile what would run for main, a feature branch
// and a pull request where everything succeeds, or the error.
import groovy.json.JsonOutput
import groovy.json.JsonSlurper
import java.nio.file.FileSystems
import java.security.MessageDigest
import org.codehaus.groovy.ast.builder.AstBuilder
import org.codehaus.groovy.control.CompilePhase

class Refused extends RuntimeException { Refused(String why) { super(why) } }   // not a Jenkinsfile
class Failed extends RuntimeException { Failed(String why) { super(why) } }     // the build fails
class Aborted extends RuntimeException { Aborted(String why) { super(why) } }

// --- what a Jenkinsfile may hold -----------------------------------------------------------------

class Known {
    static pipeline = ['agent', 'options', 'triggers', 'parameters', 'environment', 'stages', 'post']
    static stage = ['agent', 'options', 'environment', 'when', 'input', 'steps', 'stages', 'parallel', 'failFast', 'post']
    static bodies = ['steps', 'stages', 'parallel']
    static post = ['always', 'changed', 'fixed', 'regression', 'aborted', 'failure', 'success', 'unstable', 'unsuccessful', 'cleanup']
    static options = [
        pipeline: ['disableConcurrentBuilds', 'timeout', 'buildDiscarder', 'retry', 'timestamps', 'skipDefaultCheckout', 'preserveStashes'],
        stage: ['timeout', 'retry', 'timestamps', 'skipDefaultCheckout'],
    ]
    static units = ['SECONDS', 'MINUTES', 'HOURS', 'DAYS']
    static steps = ['sh', 'echo', 'stash', 'unstash', 'archiveArtifacts', 'withCredentials', 'container', 'timeout', 'retry', 'cache', 'cleanWs']
    static bindings = [string: ['variable'], file: ['variable'], usernamePassword: ['usernameVariable', 'passwordVariable']]

    static check(String kind, String name, Collection known) {
        if (!(name in known)) throw new Refused("unknown ${kind}: ${name}")
    }
}

class Section {
    // One block: what was called in it, in order. `read` looks values up: env, params, files.
    List calls = []
    Map assigned = [:]
    String kind
    Collection known
    Map scope

    static Section of(String kind, Collection known, Map scope, Closure body) {
        def section = new Section(kind: kind, known: known, scope: scope)
        def bound = (Closure) body.clone()
        bound.delegate = section
        bound.resolveStrategy = Closure.DELEGATE_ONLY
        bound.call()
        return section
    }

    def methodMissing(String name, Object arguments) {
        if (name == 'readFile' && scope.readFile) return scope.readFile(arguments[0])
        if (name in ['logRotator', 'string', 'booleanParam', 'choice'] && kind in ['option', 'parameter']) return [name, arguments]
        Known.check(kind, name, known)
        calls << [name, arguments as List]
        return null
    }

    def propertyMissing(String name) {
        if (name == 'env') return scope.env
        if (name == 'params') return scope.params
        if (scope.env?.containsKey(name)) return scope.env[name]
        if (kind.startsWith('section') && name in ['any', 'none']) return name
        throw new Refused("unknown name in ${kind}: ${name}")
    }

    void setProperty(String name, Object value) {
        if (name in ['calls', 'assigned', 'kind', 'known', 'scope']) this.@"$name" = value
        else if (kind == 'environment') assigned[name] = value.toString()
        else throw new Refused("assignment in ${kind}: ${name}")
    }

    List given(String name) { (List) calls.find { it[0] == name }?.getAt(1) }
}

class Stage {
    String name
    Map parts = [:]
    List<Stage> inner = []

    static List<Stage> all(Closure body, Set names, Map scope) {
        def section = Section.of('stages', ['stage'], scope, body)
        if (!section.calls) throw new Refused('stages without a stage')
        return section.calls.collect { call -> one(call[1], names, scope) }
    }

    static Stage one(List arguments, Set names, Map scope) {
        def (String name, Closure body) = arguments
        if (!names.add(name)) throw new Refused("two stages are called ${name}")
        def stage = new Stage(name: name)
        def section = Section.of('section of a stage', Known.stage, scope, body)
        section.calls.each { call ->
            if (stage.parts.containsKey(call[0])) throw new Refused("${name}: ${call[0]} stands twice")
            stage.parts[call[0]] = call[1][0]
        }
        def bodies = stage.parts.keySet().intersect(Known.bodies)
        if (bodies.size() != 1) throw new Refused("${name}: one of ${Known.bodies} is needed, not ${bodies}")
        def nested = stage.parts.stages ?: stage.parts.parallel
        if (nested) stage.inner = all(nested, names, scope)
        return stage
    }
}

// --- steps ---------------------------------------------------------------------------------------

class Steps {
    Build build
    boolean dry
    Map env
    File folder
    List held = []        // ids of the credentials that are bound here

    void run(Closure body) {
        def bound = (Closure) body.clone()
        bound.delegate = this
        bound.resolveStrategy = Closure.DELEGATE_ONLY
        bound.call()
    }

    def methodMissing(String name, Object arguments) { throw new Refused("unknown step: ${name}") }

    def propertyMissing(String name) {
        if (name == 'env') return env
        if (env.containsKey(name)) return env[name]
        throw new Refused("unknown name in steps: ${name}")
    }

    def sh(Object script) {
        if (!(script instanceof String)) throw new Refused('sh must be given text in single quotes')
        if (dry) {
            build.trace << [stage: build.stage, sh: script, agent: build.agent, credentials: held, post: build.post, parallel: build.forks > 0, approved: build.approved]
            return
        }
        def known = ['sh', '-xe', '-c', script]
        def process = new ProcessBuilder(known).directory(folder).redirectErrorStream(true)
        process.environment().putAll(env.collectEntries { k, v -> [k, v.toString()] })
        def started = process.start()
        started.outputStream.close()
        def said = started.inputStream.text
        def code = started.waitFor()
        held.findAll { build.input.credentials[it] }.each { id -> said = said.replace(build.input.credentials[id].toString(), '****') }
        build.trace << [stage: build.stage, sh: script, agent: build.agent, credentials: held, outcome: code ? 'failure' : 'success', said: said]
        if (code) throw new Failed("sh returned ${code}")
    }

    def echo(String text) {}

    def stash(Map what) {
        if (what.keySet() - ['name', 'includes', 'excludes', 'allowEmpty']) throw new Refused("stash: ${what.keySet()}")
        if (!dry) build.copy(folder, build.place('stash', what.name), what.includes, 'stash')
    }

    def unstash(String name) {
        if (dry) return
        if (!build.place('stash', name).list()) throw new Failed("no stash ${name}")
        build.copy(build.place('stash', name), folder, '**', 'unstash')
    }

    def archiveArtifacts(String pattern) { if (!dry) build.copy(folder, build.place('archive', build.stage), pattern, 'archiveArtifacts') }

    def string(Map binding) { credential('string', binding) }
    def file(Map binding) { credential('file', binding) }
    def usernamePassword(Map binding) { credential('usernamePassword', binding) }

    private List credential(String kind, Map binding) {
        def wanted = Known.bindings[kind] + ['credentialsId']
        if (binding.keySet() != wanted as Set) throw new Refused("${kind} takes ${wanted}, not ${binding.keySet()}")
        return [kind, binding]
    }

    def withCredentials(List bindings, Closure body) {
        def more = new Steps(build: build, dry: dry, env: new LinkedHashMap(env), folder: folder, held: held + bindings.collect { it[1].credentialsId })
        bindings.each { kind, binding ->
            if (!dry && !build.input.credentials.containsKey(binding.credentialsId)) throw new Failed("no credentials ${binding.credentialsId}")
            Known.bindings[kind].each { more.env[binding[it]] = dry ? '' : build.input.credentials[binding.credentialsId] }
        }
        more.run(body)
    }

    def container(String name, Closure body) {
        if (!dry && !(name in build.containers)) throw new Failed("no container ${name} in the pod")
        run(body)
    }

    def timeout(Map limit, Closure body) { build.checkTimeout(limit); run(body) }
    def retry(int times, Closure body) { run(body) }
    def cleanWs() {}

    def arbitraryFileCache(Map cache) {
        if (cache.keySet() != ['path', 'cacheValidityDecidingFile'] as Set) throw new Refused("arbitraryFileCache: ${cache.keySet()}")
        return cache
    }

    def cache(Map settings, Closure body) {
        if (settings.keySet() - ['maxCacheSize', 'skipSave', 'caches']) throw new Refused("cache: ${settings.keySet()}")
        if (dry) return run(body)
        def (Map kept) = settings.caches
        def key = build.digest(folder, kept.cacheValidityDecidingFile)
        def store = build.place('cache', key)
        if (store.list()) build.copy(store, new File(folder, kept.path), '**', 'cache')
        run(body)
        def source = new File(folder, kept.path)
        if (source.directory && key != 'none' && !settings.skipSave) build.copy(source, store, '**', 'cache')
    }
}

// --- the build -----------------------------------------------------------------------------------

class Build {
    Map input
    String result = 'SUCCESS'
    String stage = ''
    String agent = ''
    String post = null
    int forks = 0
    boolean approved = false
    List containers = []
    List trace = []
    Section root
    List<Stage> stages
    int workspaces = 0

    Map scope(Map env, File folder) {
        [env: env, params: input.params ?: [:], readFile: folder == null ? { '' } : { String name -> new File(folder, name).text }]
    }

    File place(String kind, String name) {
        def folder = new File(input.scratch, "${kind}/${name}")
        folder.mkdirs()
        return folder
    }

    // SHA-256 of the files that match a pattern, 'none' where none does.
    String digest(File folder, String pattern) {
        def found = []
        folder.eachFileRecurse { if (it.file && matching(pattern, folder, it)) found << it }
        def sha = MessageDigest.getInstance('SHA-256')
        found.sort().each { sha.update(it.bytes) }
        return found ? sha.digest().encodeHex().toString() : 'none'
    }

    boolean matching(String patterns, File root, File file) {
        patterns.split(',').any { FileSystems.default.getPathMatcher("glob:${it.trim()}").matches(root.toPath().relativize(file.toPath())) }
    }

    void copy(File from, File to, String patterns, String what) {
        def found = []
        from.eachFileRecurse { if (it.file && matching(patterns, from, it)) found << from.toPath().relativize(it.toPath()) }
        if (!found && what != 'cache') throw new Failed("${what}: nothing matches ${patterns}")
        found.each { path ->
            def target = to.toPath().resolve(path).toFile()
            target.parentFile.mkdirs()
            target.bytes = from.toPath().resolve(path).toFile().bytes
        }
    }

    void checkTimeout(Map limit) {
        if (limit.keySet() - ['time', 'unit', 'activity'] || !(limit.time instanceof Integer)) throw new Refused("timeout: ${limit}")
        Known.check('unit', limit.unit ?: 'MINUTES', Known.units)
    }

    // Read and check every part of every stage, run or not.
    void read(String text) {
        if (text =~ /\bsh\b[^'\n]*"/) throw new Refused('sh must be given text in single quotes')
        def nodes = new AstBuilder().buildFromString(CompilePhase.CONVERSION, false, text)
        if (nodes.size() > 2 || nodes[0].statements.size() != 1) throw new Refused('only pipeline { } may stand in a Jenkinsfile')
        def binding = new Binding(pipeline: { Closure body -> root = Section.of('section', Known.pipeline, scope([BRANCH_NAME: 'main'], null), body) })
        new GroovyShell(binding).evaluate(text)
        if (!root) throw new Refused('no pipeline { }')
        ['agent', 'stages'].each { if (!root.given(it)) throw new Refused("pipeline without ${it}") }
        stages = Stage.all(root.given('stages')[0], new HashSet(), scope([:], null))
        parts(root.calls.collectEntries { [it[0], it[1][0]] }, 'pipeline')
        every(stages) { parts(it.parts, 'stage') }
    }

    void every(List<Stage> some, Closure action) { some.each { action(it); every(it.inner, action) } }

    private void parts(Map found, String level) {
        def dry = new Steps(build: this, dry: true, env: [AGENT: 'cpu', BRANCH_NAME: 'x'])
        if (found.agent instanceof Closure) agentOf(found.agent, dry.env)
        if (found.options) Section.of('option', Known.options[level], scope([:], null), found.options).calls.each { if (it[0] == 'timeout') checkTimeout(it[1][0]) }
        if (found.triggers) Section.of('trigger', ['cron', 'pollSCM', 'upstream'], scope(dry.env, null), found.triggers)
        if (found.parameters) Section.of('parameter', ['string', 'booleanParam', 'choice'], scope([:], null), found.parameters)
        if (found.environment) Section.of('environment', [], scope(dry.env, null), found.environment)
        if (found.when) conditions(found.when, dry.env, null)
        if (found.input) Section.of('input', ['message', 'ok', 'submitter', 'id'], scope([:], null), found.input)
        if (found.steps) dry.run(found.steps)
        if (found.post) Section.of('post condition', Known.post, scope([:], null), found.post).calls.each { dry.run(it[1][0]) }
    }

    List plan(Map env) {
        trace = []
        planned(new Stage(name: '', parts: root.calls.collectEntries { [it[0], it[1][0]] } + [stages: true], inner: stages), env)
        return trace
    }

    private void planned(Stage one, Map env) {
        if (one.parts.when && !conditions(one.parts.when, env, null).holds.every()) return
        def outer = agent
        stage = one.name
        if (one.parts.agent instanceof Closure) agent = agentOf(one.parts.agent, env).label
        else if (one.parts.agent) agent = one.parts.agent
        def asked = approved
        approved = approved || one.parts.input
        if (one.parts.parallel) forks++
        one.inner.each { planned(it, env) }
        if (one.parts.parallel) forks--
        stage = one.name
        def dry = new Steps(build: this, dry: true, env: env)
        if (one.parts.steps) dry.run(one.parts.steps)
        if (one.parts.post) Section.of('post condition', Known.post, scope(env, null), one.parts.post).calls.each {
            post = it[0]
            dry.run(it[1][0])
        }
        post = null
        agent = outer
        approved = asked
    }

    // {container names, label}: the pod or node an agent block asks for.
    Map agentOf(Closure block, Map env) {
        def (String kind, List arguments) = Section.of('agent', ['kubernetes', 'label', 'docker'], scope(env, null), block).calls[0]
        if (kind != 'kubernetes') return [label: "${kind} ${arguments[0]}".toString(), containers: []]
        def pod = Section.of('kubernetes', ['yamlFile', 'yaml', 'defaultContainer', 'inheritFrom', 'cloud'], scope(env, null), arguments[0])
        def file = pod.given('yamlFile')?.getAt(0)?.toString()
        def text = new File(input.project, file).text
        def names = (text =~ /(?m)^ {4}- name: (\S+)/).collect { it[1] }
        def wanted = pod.given('defaultContainer')?.getAt(0)
        if (wanted && !(wanted in names)) throw new Refused("${file} has no container ${wanted}")
        return [label: file, containers: names]
    }

    // Whether a `when` block holds, and what is to be asked before it.
    Map conditions(Closure block, Map env, File folder) {
        def known = ['branch', 'changeRequest', 'tag', 'expression', 'not', 'allOf', 'anyOf', 'beforeAgent', 'beforeInput', 'beforeOptions']
        def section = Section.of('when condition', known, scope(env, folder), block)
        def before = section.calls.findAll { it[0].startsWith('before') }.collectEntries { [it[0], it[1][0]] }
        def asked = section.calls.findAll { !it[0].startsWith('before') }
        if (!asked) throw new Refused('when without a condition')
        return before + [holds: asked.collect { holds(it[0], it[1], env, folder) }]
    }

    private boolean holds(String name, List arguments, Map env, File folder) {
        switch (name) {
            case 'branch': return env.BRANCH_NAME == arguments[0]
            case 'changeRequest': return env.containsKey('CHANGE_ID')
            case 'tag': return env.TAG_NAME == arguments[0]
            case 'not': return !conditions(arguments[0], env, folder).holds.every()
            case 'allOf': return conditions(arguments[0], env, folder).holds.every()
            case 'anyOf': return conditions(arguments[0], env, folder).holds.any()
        }
        if (folder == null) return true
        def bound = (Closure) arguments[0].clone()
        bound.delegate = new Section(kind: 'expression', known: [], scope: scope(env, folder))
        bound.resolveStrategy = Closure.DELEGATE_ONLY
        return bound.call() as boolean
    }

    File checkout() {
        def folder = new File(input.scratch, "workspace-${workspaces++}")
        def script = 'git clone --quiet "$FROM" "$TO" && git -C "$TO" checkout --quiet "$SHA"'
        def process = new ProcessBuilder('sh', '-ec', script).redirectErrorStream(true)
        process.environment().putAll([FROM: input.project, TO: folder.path, SHA: input.sha])
        def started = process.start()
        def said = started.inputStream.text
        if (started.waitFor()) throw new Failed(said)
        return folder
    }

    void run() {
        def env = [BRANCH_NAME: input.branch] + (input.params ?: [:])
        if (input.change) env.CHANGE_ID = input.change
        def found = root.calls.collectEntries { [it[0], it[1][0]] }
        runParts(new Stage(name: '', parts: found + [stages: true], inner: stages), env, null, [])
    }

    // Order of a stage in Jenkins: input, when, agent, environment, body, post. `beforeInput` and
    // `beforeAgent` move `when` forward; without the latter it is asked in the agent's checkout.
    void runStage(Stage one, Map env, File folder, List outer) {
        stage = one.name
        def when = { File where -> one.parts.when ? conditions(one.parts.when, env, where).holds.every() : true }
        def before = one.parts.when ? conditions(one.parts.when, env, null) : [:]
        if (before.beforeInput && !when(folder)) return
        if (one.parts.input) {
            trace << [stage: stage, input: true]
            if (input.approve == false) throw new Aborted('not approved')
        }
        if (before.beforeAgent && !when(folder)) return
        runParts(one, env, folder, before.beforeAgent || before.beforeInput ? [] : [when])
    }

    void runParts(Stage one, Map env, File folder, List whens) {
        def outer = [agent, containers]
        Throwable fault = null
        def mine = new LinkedHashMap(env)
        if (one.parts.agent instanceof Closure) {
            def found = agentOf(one.parts.agent, env)
            (agent, containers) = [found.label, found.containers]
            folder = checkout()
        }
        if (!whens.every { it(folder) }) { (agent, containers) = outer; return }
        try {
            if (one.parts.environment) mine.putAll(Section.of('environment', [], scope(env, folder), one.parts.environment).assigned)
            if (one.parts.parallel) parallel(one.inner, mine, folder)
            else if (one.inner) one.inner.each { runStage(it, mine, folder, []) }
            else new Steps(build: this, env: mine, folder: folder).run(one.parts.steps)
        } catch (Failed | Aborted why) {
            fault = why
        }
        stage = one.name
        try {
            if (one.parts.post) after(one.parts.post, mine, folder, fault == null ? 'SUCCESS' : fault instanceof Aborted ? 'ABORTED' : 'FAILURE')
        } catch (Failed why) {
            fault = fault ?: why
        }
        (agent, containers) = outer
        if (fault) throw fault
    }

    void parallel(List<Stage> some, Map env, File folder) {
        def faults = []
        some.each { try { runStage(it, env, folder, []) } catch (Failed | Aborted why) { faults << why } }
        if (faults) throw faults[0]
    }

    void after(Closure block, Map env, File folder, String how) {
        def fits = [always: true, cleanup: true, success: how == 'SUCCESS', failure: how == 'FAILURE', aborted: how == 'ABORTED', unsuccessful: how != 'SUCCESS']
        def section = Section.of('post condition', Known.post, scope(env, folder), block)
        def fault = null
        Known.post.each { condition ->
            if (!fits[condition] || !section.given(condition)) return
            try {
                new Steps(build: this, env: env, folder: folder).run(section.given(condition)[0])
            } catch (Failed why) {
                fault = fault ?: why
            }
        }
        if (fault) throw fault
    }
}

ERRORS = [Refused, MissingMethodException, MissingPropertyException, IOException, org.codehaus.groovy.control.CompilationFailedException]

def input = new JsonSlurper().parse(System.in)
if (input.plan) {
    def plans = input.plan.collectEntries { file ->
        def build = new Build(input: [project: new File(file).parent])
        try {
            build.read(new File(file).getText('UTF-8'))
            return [file, [main: build.plan([BRANCH_NAME: 'main', AGENT: 'cpu']), branch: build.plan([BRANCH_NAME: 'feature', AGENT: 'cpu']), change: build.plan([BRANCH_NAME: 'PR-1', CHANGE_ID: '1', AGENT: 'cpu'])]]
        } catch (Exception why) {
            if (!ERRORS.any { it.isInstance(why) }) throw why
            return [file, [error: why.message]]
        }
    }
    println JsonOutput.toJson(plans)
    return
}
def build = new Build(input: input)
try {
    build.read(new File(input.project, 'Jenkinsfile').getText('UTF-8'))
    build.trace = []
    build.run()
} catch (Failed why) {
    build.result = 'FAILURE'
} catch (Aborted why) {
    build.result = 'ABORTED'
} catch (Exception why) {
    if (!ERRORS.any { it.isInstance(why) }) throw why
    System.err.println("ERROR: ${why.message}")
    System.exit(1)
}
println JsonOutput.toJson([result: build.result, steps: build.trace])
